"""Every function of tf.image that has a value: sizes, colours, boxes, files."""

import numpy as np
import tensorflow as tf

I = tf.image
rng = np.random.RandomState(0)
b = rng.rand(2, 7, 9, 3).astype(np.float32)
o = b[0]
u = (o * 255).astype(np.uint8)
b2 = np.clip(b + 0.1 * rng.randn(*b.shape), 0, 1).astype(np.float32)
big = rng.rand(1, 180, 180, 1).astype(np.float32)
boxes = np.array(
    [[0.1, 0.2, 0.7, 0.9], [0, 0, 1, 1], [0.5, -0.3, 1.2, 0.4], [0.9, 0.8, 0.1, 0.2]], np.float32
)
C = {}
for n, f in [
    ("bil", I.resize_bilinear),
    ("near", I.resize_nearest_neighbor),
    ("cub", I.resize_bicubic),
    ("area", I.resize_area),
]:
    for s in ([3, 4], [14, 18], [10, 5], [1, 1], [7, 9]):
        C[n + str(s)] = lambda f=f, s=s: f(b, s)
        C[n + "_al" + str(s)] = lambda f=f, s=s: f(b, s, align_corners=True)
        if n != "area":
            C[n + "_hp" + str(s)] = lambda f=f, s=s: f(b, s, half_pixel_centers=True)
    C[n + "u8"] = lambda f=f: f(u[None], [4, 6])
for m in range(4):
    C["ri%d" % m] = lambda m=m: I.resize_images(o, [5, 4], m)
    C["rip%d" % m] = lambda m=m: I.resize_images(b, [14, 5], m, preserve_aspect_ratio=True)
C.update(
    {
        "pad": lambda: I.resize_image_with_pad(o, 10, 10),
        "pad2": lambda: I.resize_image_with_pad(b, 4, 12),
        "fit": lambda: I.resize_image_with_crop_or_pad(o, 5, 14),
        "fit2": lambda: I.resize_image_with_crop_or_pad(b, 12, 4),
        "cc": lambda: I.central_crop(o, 0.4),
        "cc2": lambda: I.central_crop(b, 0.55),
        "fl": lambda: I.flip_left_right(b),
        "fu": lambda: I.flip_up_down(o),
        "t": lambda: I.transpose_image(o),
        "r1": lambda: I.rot90(o),
        "r2": lambda: I.rot90(b, 2),
        "r3": lambda: I.rot90(o, 3),
        "r-1": lambda: I.rot90(b, -1),
        "crop": lambda: I.crop_to_bounding_box(u, 1, 2, 3, 4),
        "padb": lambda: I.pad_to_bounding_box(u, 1, 2, 9, 12),
        "patch": lambda: I.extract_image_patches(
            b, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"
        ),
        "patch2": lambda: I.extract_image_patches(
            b, [1, 2, 3, 1], [1, 1, 2, 1], [1, 2, 1, 1], "SAME"
        ),
        "br": lambda: I.adjust_brightness(u, 0.3),
        "br2": lambda: I.adjust_brightness(o, -0.2),
        "co": lambda: I.adjust_contrast(u, 1.7),
        "co2": lambda: I.adjust_contrast(b, 0.3),
        "ga": lambda: I.adjust_gamma(u, 2.0, 1.1),
        "ga2": lambda: I.adjust_gamma(o, 0.5),
        "hue": lambda: I.adjust_hue(u, 0.2),
        "hue2": lambda: I.adjust_hue(b, -0.3),
        "sa": lambda: I.adjust_saturation(u, 1.5),
        "sa2": lambda: I.adjust_saturation(o, 0.5),
        "gray": lambda: I.rgb_to_grayscale(u),
        "gray2": lambda: I.rgb_to_grayscale(b),
        "g2r": lambda: I.grayscale_to_rgb(tf.constant(u[..., :1])),
        "hsv": lambda: I.rgb_to_hsv(b),
        "rgb": lambda: I.hsv_to_rgb(b),
        "yiq": lambda: I.rgb_to_yiq(b),
        "yiqr": lambda: I.yiq_to_rgb(b),
        "yuv": lambda: I.rgb_to_yuv(b),
        "yuvr": lambda: I.yuv_to_rgb(b),
        "std": lambda: I.per_image_standardization(u),
        "std2": lambda: I.per_image_standardization(b),
        "cv1": lambda: I.convert_image_dtype(u, tf.float32),
        "cv2": lambda: I.convert_image_dtype(o, tf.uint8),
        "cv3": lambda: I.convert_image_dtype(u, tf.uint16),
        "cv4": lambda: I.convert_image_dtype(u.astype(np.int32) * 1000, tf.uint8, saturate=True),
        "cv5": lambda: I.convert_image_dtype(o * 3 - 1, tf.uint8, saturate=True),
        "psnr": lambda: I.psnr(b, b2, 1.0),
        "psnr2": lambda: I.psnr(u, u // 2, 255),
        "ssim": lambda: I.ssim(tf.constant(big), tf.constant(big * 0.8), 1.0),
        "ssim2": lambda: I.ssim(
            tf.constant((big * 255).astype(np.uint8)),
            tf.constant((big * 200).astype(np.uint8)),
            255,
        ),
        "ms": lambda: I.ssim_multiscale(tf.constant(big), tf.constant(big * 0.8 + 0.1), 1.0),
        "tv": lambda: I.total_variation(tf.constant(b)),
        "tv2": lambda: I.total_variation(tf.constant(o)),
        "gr0": lambda: I.image_gradients(tf.constant(b))[0],
        "gr1": lambda: I.image_gradients(tf.constant(b))[1],
        "sob": lambda: I.sobel_edges(tf.constant(b)),
        "nms": lambda: I.non_max_suppression(boxes, [0.5, 0.9, 0.3, 0.4], 4, 0.3),
        "nms2": lambda: I.non_max_suppression(boxes, [0.5, 0.9, 0.3, 0.4], 4, 0.6, 0.35),
        "nmsp": lambda: I.non_max_suppression_padded(
            boxes, [0.5, 0.9, 0.3, 0.4], 4, 0.3, pad_to_max_output_size=True
        )[0],
        "nmso": lambda: I.non_max_suppression_overlaps(
            np.eye(4, dtype=np.float32) * 0.9 + 0.1, [0.5, 0.9, 0.3, 0.4], 3, 0.05
        ),
        "draw": lambda: I.draw_bounding_boxes(b, boxes[None, :3].repeat(2, 0)),
        "draw2": lambda: I.draw_bounding_boxes(
            b, boxes[None, :3].repeat(2, 0), colors=[[0.1, 0.2, 0.3, 1]]
        ),
        "cr": lambda: I.crop_and_resize(b, boxes, [0, 1, 0, 1], [4, 5]),
        "cr2": lambda: I.crop_and_resize(b, boxes, [0, 1, 0, 1], [1, 3], extrapolation_value=0.5),
        "cr3": lambda: I.crop_and_resize(b, boxes, [0, 1, 0, 1], [4, 5], method="nearest"),
        "rfl": lambda: I.random_flip_left_right(b, seed=4),
        "rfl1": lambda: I.random_flip_left_right(o, seed=4),
        "rfu": lambda: I.random_flip_up_down(o, seed=5),
        "rb": lambda: I.random_brightness(o, 0.3, seed=1),
        "rc": lambda: I.random_contrast(o, 0.3, 1.2, seed=1),
        "rh": lambda: I.random_hue(o, 0.3, seed=1),
        "rs": lambda: I.random_saturation(o, 0.3, 1.3, seed=1),
        "rcr": lambda: tf.random_crop(o, [3, 3, 3], seed=1),
        "png": lambda: I.decode_png(I.encode_png(u)),
        "png1": lambda: I.decode_png(I.encode_png(u), channels=1),
        "png4": lambda: I.decode_png(I.encode_png(u[..., :1]), channels=3),
        "img": lambda: I.decode_image(I.encode_png(u)),
        "jpgs": lambda: I.extract_jpeg_shape(I.encode_jpeg(u)),
        "isj": lambda: I.is_jpeg(I.encode_jpeg(u)),
    }
)
RESULT = {}
for name, make in C.items():
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(7)
        x = np.asarray(sess.run(tf.convert_to_tensor(make())))
    weights = np.cos(np.arange(x.size)).reshape(x.shape)
    RESULT[name] = [str(x.dtype), x.shape, np.sum(x * weights), x.ravel()[:4]]
