# ruff: noqa: E501
"""Calls of public functions whose operations are counted: written down by `record_calls.py`."""


def operands(tf):
    """What the calls read: placeholders and variables of several shapes."""
    p, f, i32 = tf.placeholder, tf.float32, tf.int32
    return {
        "tf": tf, "x": p(f, [2, 4]), "y": p(f, [2, 4]), "b": p(f, [4]), "s": p(f, []),
        "n": p(f, [None, 4]), "k": p(f, [None, 4]), "u": p(f, [None, None]), "r": p(f),
        "n0": p(f, [None]), "n1": p(f, [None, 1]), "x3": p(f, [2, 5, 4]), "n3": p(f, [None, 5, 4]),
        "i": p(i32, [2]), "ni": p(i32, [None]), "ni1": p(i32, [None, 1]), "l": p(tf.int64, [2]),
        "nn": p(i32, [None, None]), "t": p(tf.bool, [2, 4]), "nt": p(tf.bool, [None]),
        "flag": p(tf.bool, []), "im": p(f, [2, 8, 8, 3]), "in_": p(f, [None, 8, 8, 3]),
        "one": p(f, [8, 8, 3]), "any": p(f, [None, None, 3]), "u8": p(tf.uint8, [8, 8, 3]),
        "q": p(f, [3, 3]), "qs": p(f, [2, 3, 3]), "c3": p(f, [3]), "str_": p(tf.string, [None]),
        "txt": p(tf.string, []), "step": tf.train.get_or_create_global_step(),
        "w": tf.Variable(tf.ones([5, 4])), "wb": tf.Variable(tf.ones([5])),
        "emb": tf.Variable(tf.ones([7, 3])), "m": p(f, [4, 3]), "z": p(tf.complex64, [4]),
        "sp": tf.SparseTensor([[0, 0], [1, 2]], [1.0, 2.0], [2, 4]),
        "si": tf.SparseTensor([[0, 0], [1, 0]], tf.constant([1, 2], tf.int64), [2, 3]),
    }  # fmt: skip


def words(prefix, text, form):
    return [f"tf.{prefix}{name}({form})" for name in text.split()]


CALLS = [
    # rates
    "tf.train.exponential_decay(.1,step,10,.9)", "tf.train.exponential_decay(.1,step,10,.9,True)",
    "tf.train.inverse_time_decay(.1,step,10,.9)", "tf.train.natural_exp_decay(.1,step,10,.9)",
    "tf.train.inverse_time_decay(.1,step,10,.9,True)", "tf.train.polynomial_decay(.1,step,10)",
    "tf.train.natural_exp_decay(.1,step,10,.9,True)", "tf.train.polynomial_decay(.1,step,10,cycle=True)",
    "tf.train.polynomial_decay(.1,step,10,.01,.5)", "tf.train.piecewise_constant(step,[1,2],[.1,.2,.3])",
    "tf.train.piecewise_constant(step,[5],[.1,.2])", "tf.train.cosine_decay(.1,step,10)",
    "tf.train.piecewise_constant_decay(step,[1,2,3],[.1,.2,.3,.4])",
    "tf.train.cosine_decay_restarts(.1,step,10)", "tf.train.linear_cosine_decay(.1,step,10)",
    "tf.train.cosine_decay_restarts(.1,step,10,1.)", "tf.train.noisy_linear_cosine_decay(.1,step,10)",
    # losses
    *words("losses.", "absolute_difference mean_squared_error huber_loss log_loss hinge_loss "
           "sigmoid_cross_entropy softmax_cross_entropy mean_pairwise_squared_error", "x,y"),
    *words("losses.", "absolute_difference mean_squared_error huber_loss log_loss hinge_loss "
           "sigmoid_cross_entropy softmax_cross_entropy mean_pairwise_squared_error", "n,k"),
    *words("losses.", "absolute_difference mean_squared_error huber_loss log_loss hinge_loss",
           "n,k,weights=n1"),
    *words("losses.", "absolute_difference mean_squared_error huber_loss log_loss hinge_loss",
           "x,y,weights=.5"),
    *words("losses.", "sigmoid_cross_entropy softmax_cross_entropy", "n,k,.5"),
    *words("losses.", "sigmoid_cross_entropy softmax_cross_entropy", "n,k,label_smoothing=.1"),
    *[f"tf.losses.mean_squared_error({a},reduction='{kind}')" for a in ("x,y", "n,k", "x,y,2.")
      for kind in ("none", "weighted_sum", "weighted_mean", "weighted_sum_over_batch_size",
                   "weighted_sum_over_nonzero_weights")],
    "tf.losses.sparse_softmax_cross_entropy(ni,n)", "tf.losses.sparse_softmax_cross_entropy(i,x)",
    "tf.losses.sparse_softmax_cross_entropy(ni1,n)", "tf.losses.sparse_softmax_cross_entropy(i,x,2.)",
    "tf.losses.sparse_softmax_cross_entropy(ni,n,weights=n0)", "tf.losses.cosine_distance(x,y,1)",
    "tf.losses.sparse_softmax_cross_entropy(nn,n3)", "tf.losses.softmax_cross_entropy(n,k,weights=n0)",
    "tf.losses.compute_weighted_loss(n)", "tf.losses.compute_weighted_loss(x)",
    "tf.losses.compute_weighted_loss(n,n0)", "tf.losses.get_total_loss()", "tf.losses.get_regularization_loss()",
    # nn
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=nn,logits=n3)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=nn,logits=r)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ni,logits=n)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=i,logits=x)",
    "tf.nn.softmax_cross_entropy_with_logits(labels=n3,logits=n3)",
    "tf.nn.softmax_cross_entropy_with_logits(labels=x3,logits=x3)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=x3,logits=x3)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=n3,logits=n3)",
    "tf.nn.softmax(n3)", "tf.nn.softmax(x3)", "tf.nn.softmax(n3,1)", "tf.nn.softmax(r)", "tf.nn.softmax(u)",
    "tf.nn.log_softmax(n3)", "tf.nn.log_softmax(x3,1)", "tf.nn.log_softmax(r)", "tf.nn.swish(x)",
    "tf.nn.nce_loss(w,wb,tf.cast(ni1,tf.int64),n,3,5)", "tf.nn.nce_loss(w,wb,tf.cast(ni1,tf.int64),x,3,5)",
    "tf.nn.nce_loss(w,wb,tf.cast(ni1,tf.int64),n,3,5,remove_accidental_hits=True)",
    "tf.nn.sampled_softmax_loss(w,wb,tf.cast(ni1,tf.int64),n,3,5)",
    "tf.nn.sampled_softmax_loss(w,wb,tf.cast(ni1,tf.int64),n,3,5,remove_accidental_hits=False)",
    "tf.nn.nce_loss([w],wb,tf.cast(ni1,tf.int64),n,3,5,num_true=1)",
    "tf.nn.learned_unigram_candidate_sampler(tf.cast(ni1,tf.int64),1,2,True,5)",
    "tf.nn.log_uniform_candidate_sampler(tf.cast(ni1,tf.int64),1,2,True,5)",
    "tf.nn.ctc_loss(tf.SparseTensor([[0,0]],[1],[2,2]),tf.transpose(x3,[1,0,2]),i)",
    "tf.nn.ctc_greedy_decoder(x3,[1]*5)", "tf.nn.ctc_beam_search_decoder(x3,[1]*5)",
    "tf.nn.embedding_lookup(emb,ni)", "tf.nn.embedding_lookup([emb],ni)", "tf.nn.embedding_lookup(emb,nn)",
    "tf.nn.embedding_lookup([emb,emb],ni)", "tf.nn.embedding_lookup([emb,emb],i,'div')",
    "tf.nn.embedding_lookup(emb,ni,max_norm=1.)", "tf.nn.embedding_lookup_sparse(emb,si,None)",
    "tf.nn.embedding_lookup_sparse(emb,si,None,combiner='sum')",
    "tf.nn.embedding_lookup_sparse(emb,si,None,combiner='sqrtn')",
    "tf.nn.safe_embedding_lookup_sparse([emb],si)", "tf.nn.dropout(n,.5)", "tf.nn.dropout(n,s)",
    "tf.nn.dropout(n,rate=.5)", "tf.nn.dropout(x,.5,noise_shape=[2,1])", "tf.nn.dropout(n3,.5,[1,5,1])",
    "tf.nn.moments(n,[0])", "tf.nn.moments(in_,[0,1,2])", "tf.nn.moments(x,[0],keep_dims=True)",
    "tf.nn.weighted_moments(x,[0],y)", "tf.nn.l2_normalize(n,1)", "tf.nn.zero_fraction(x)", "tf.nn.top_k(x,2)",
    "tf.nn.in_top_k(n,ni,2)", "tf.nn.batch_normalization(n,b,b,b,b,1e-3)", "tf.nn.crelu(n)", "tf.nn.relu_layer(n,m,c3)",
    "tf.nn.xw_plus_b(n,m,c3)", "tf.nn.conv1d(n3,tf.ones([3,4,2]),1,'SAME')", "tf.nn.log_poisson_loss(x,y)",
    "tf.nn.log_poisson_loss(x,y,True)", "tf.nn.weighted_cross_entropy_with_logits(n,k,2.)",
    "tf.nn.max_pool_with_argmax(in_,[1,2,2,1],[1,2,2,1],'SAME')", "tf.nn.pool(in_,[2,2],'MAX','SAME')",
    "tf.nn.atrous_conv2d(in_,tf.ones([3,3,3,2]),2,'SAME')", "tf.nn.lrn(in_)", "tf.nn.fractional_max_pool(in_,[1.,1.5,1.5,1.])",
    "tf.nn.conv2d_transpose(in_,tf.ones([3,3,2,3]),[4,16,16,2],[1,2,2,1])", "tf.nn.separable_conv2d(in_,tf.ones([3,3,3,2]),tf.ones([1,1,6,4]),[1,1,1,1],'SAME')",
    # metrics
    *words("metrics.", "accuracy", "i,i"), "tf.metrics.accuracy(ni,ni)", "tf.metrics.accuracy(ni,ni,n0)",
    *words("metrics.", "auc", "tf.cast(nt,tf.float32),n0"), "tf.metrics.mean(n0)", "tf.metrics.mean(s)",
    "tf.metrics.mean(n0,n0)", "tf.metrics.mean_absolute_error(n0,n0)", "tf.metrics.mean_squared_error(n0,n0)",
    "tf.metrics.root_mean_squared_error(n0,n0)", "tf.metrics.mean_relative_error(n0,n0,n0)",
    "tf.metrics.mean_cosine_distance(n,k,1)", "tf.metrics.mean_iou(ni,ni,3)", "tf.metrics.mean_per_class_accuracy(ni,ni,3)",
    "tf.metrics.mean_tensor(n0)", "tf.metrics.percentage_below(n0,.5)", "tf.metrics.precision(nt,nt)",
    "tf.metrics.recall(nt,nt)", "tf.metrics.precision(ni,ni)", "tf.metrics.recall(ni,ni)",
    "tf.metrics.true_positives(nt,nt)", "tf.metrics.false_positives(nt,nt)", "tf.metrics.true_negatives(nt,nt)",
    "tf.metrics.false_negatives(nt,nt)", "tf.metrics.precision_at_thresholds(nt,n0,[.5])",
    "tf.metrics.recall_at_thresholds(nt,n0,[.5])", "tf.metrics.true_positives_at_thresholds(nt,n0,[.5])",
    "tf.metrics.sensitivity_at_specificity(nt,n0,.5)", "tf.metrics.specificity_at_sensitivity(nt,n0,.5)",
    "tf.metrics.precision_at_k(tf.cast(ni1,tf.int64),n,2)", "tf.metrics.recall_at_k(tf.cast(ni1,tf.int64),n,2)",
    "tf.metrics.average_precision_at_k(tf.cast(ni1,tf.int64),n,2)", "tf.metrics.precision_at_top_k(tf.cast(ni1,tf.int64),tf.cast(nn,tf.int64))",
    "tf.confusion_matrix(ni,ni)", "tf.confusion_matrix(ni,ni,3)", "tf.confusion_matrix(i,i,3)",
    "tf.contrib.metrics.streaming_accuracy(ni,ni)", "tf.contrib.metrics.f1_score(nt,n0)", "tf.contrib.metrics.accuracy(ni,ni)",
    # layers
    *[f"tf.layers.{c}" for c in (
        "dense(x,3)", "dense(n,3,tf.nn.relu)", "dense(n3,3)", "dense(n,3,use_bias=False)",
        "conv1d(n3,2,3)", "conv2d(in_,2,3)", "conv2d(in_,2,3,activation=tf.nn.relu)", "conv2d(in_,2,3,use_bias=False)",
        "conv2d(in_,2,3,dilation_rate=2)", "conv2d_transpose(in_,2,3)", "conv2d_transpose(in_,2,3,2,'same')",
        "separable_conv2d(in_,2,3)", "separable_conv1d(n3,2,3)", "max_pooling2d(in_,2,2)", "average_pooling2d(in_,2,2)",
        "max_pooling1d(n3,2,2)", "average_pooling1d(n3,2,2)", "flatten(n3)", "flatten(x3)", "dropout(n,.5)",
        "dropout(n,.5,training=True)", "dropout(n,.5,training=flag)", "batch_normalization(n)",
        "batch_normalization(n,training=True)", "batch_normalization(n,training=flag)", "batch_normalization(in_)",
        "batch_normalization(in_,training=True)", "batch_normalization(in_,training=flag)",
        "batch_normalization(in_,training=flag,fused=False)", "batch_normalization(n,renorm=True,training=True)",
        "dense(n,3,kernel_regularizer=tf.contrib.layers.l2_regularizer(.1))",
        "conv3d(tf.expand_dims(in_,-1),2,3)", "conv2d(in_,2,3,data_format='channels_last',padding='same')")],
    *[f"tf.contrib.layers.{c}" for c in (
        "fully_connected(n,3)", "fully_connected(n3,3)", "conv2d(in_,2,3)", "conv2d(in_,2,3,rate=2)",
        "conv2d_transpose(in_,2,3,2)", "separable_conv2d(in_,2,3,1)", "separable_conv2d(in_,None,3,1)", "max_pool2d(in_,2)",
        "avg_pool2d(in_,2)", "flatten(in_)", "flatten(x3)", "dropout(n)", "dropout(n,is_training=flag)", "batch_norm(n)",
        "batch_norm(in_)", "batch_norm(in_,is_training=False)", "batch_norm(in_,is_training=flag)", "batch_norm(n,is_training=flag)",
        "batch_norm(in_,is_training=flag,scale=True,updates_collections=None)", "batch_norm(in_,updates_collections=None)",
        "batch_norm(in_,fused=False)", "batch_norm(in_,is_training=flag,fused=False)", "batch_norm(n,decay=.9,center=False)",
        "layer_norm(n)", "layer_norm(in_)", "instance_norm(in_)", "group_norm(in_,3)", "unit_norm(x,1)", "unit_norm(n,1)",
        "one_hot_encoding(ni,3)", "embed_sequence(nn,7,3)", "softmax(n3)", "spatial_softmax(in_)", "stack(n,tf.contrib.layers.fully_connected,[3,2])",
        "repeat(in_,2,tf.contrib.layers.conv2d,2,3)", "bias_add(n)", "maxout(n,2)", "l2_regularizer(.1)(x)", "l1_regularizer(.1)(x)",
        "l1_l2_regularizer(.1,.1)(x)", "sum_regularizer([tf.contrib.layers.l2_regularizer(.1)])(x)", "summarize_tensor(x)",
        "optimize_loss(tf.reduce_sum(w),step,.1,'SGD')", "optimize_loss(tf.reduce_sum(w),step,.1,'Adam',clip_gradients=1.)")],
    *[f"tf.keras.layers.{c}" for c in (
        "Dense(3)(n)", "Dense(3,activation='relu')(n)", "Conv2D(2,3)(in_)", "Conv2D(2,3,activation='relu',padding='same')(in_)",
        "MaxPooling2D()(in_)", "AveragePooling2D()(in_)", "GlobalAveragePooling2D()(in_)", "GlobalMaxPooling2D()(in_)", "Flatten()(n3)",
        "Flatten()(x3)", "Dropout(.5)(n)", "BatchNormalization()(n)", "BatchNormalization()(in_)", "Embedding(7,3)(nn)", "LSTM(3)(n3)",
        "LSTM(3,return_sequences=True)(n3)", "GRU(3)(n3)", "SimpleRNN(3)(n3)", "Activation('relu')(n)", "Reshape([2,2])(n)", "Permute([2,1])(n3)",
        "RepeatVector(3)(n)", "Lambda(lambda v:v*2)(n)", "Add()([n,k])", "Multiply()([n,k])", "Concatenate()([n,k])", "Average()([n,k])",
        "Maximum()([n,k])", "Dot(1)([n,k])", "UpSampling2D()(in_)", "ZeroPadding2D()(in_)", "Cropping2D()(in_)", "Conv2DTranspose(2,3)(in_)",
        "DepthwiseConv2D(3)(in_)", "SeparableConv2D(2,3)(in_)", "LeakyReLU()(n)", "PReLU()(n)", "ELU()(n)", "ReLU()(n)", "Softmax()(n)",
        "GaussianNoise(.1)(n)", "TimeDistributed(tf.keras.layers.Dense(3))(n3)", "Bidirectional(tf.keras.layers.LSTM(3))(n3)", "Masking()(n3)",
        "Conv1D(2,3)(n3)", "MaxPooling1D()(n3)", "GlobalMaxPooling1D()(n3)", "LayerNormalization()(n)", "Input([4])", "AlphaDropout(.5)(n)")],
    # images
    *words("image.", "adjust_hue adjust_saturation adjust_contrast adjust_brightness", "one,.1"),
    *words("image.", "flip_left_right flip_up_down transpose_image rot90 random_flip_left_right random_flip_up_down "
           "per_image_standardization rgb_to_grayscale rgb_to_hsv hsv_to_rgb", "one"),
    *words("image.", "flip_left_right flip_up_down random_flip_left_right per_image_standardization", "any"),
    *words("image.", "flip_left_right random_flip_left_right per_image_standardization rgb_to_grayscale", "in_"),
    "tf.image.random_brightness(one,.1)", "tf.image.random_contrast(one,.1,.9)", "tf.image.random_hue(one,.1)", "tf.image.random_saturation(one,.1,.9)",
    "tf.image.random_brightness(u8,.1)", "tf.image.random_contrast(u8,.1,.9)", "tf.image.random_hue(u8,.1)", "tf.image.random_saturation(u8,.1,.9)",
    "tf.image.resize_image_with_crop_or_pad(one,4,4)", "tf.image.resize_image_with_crop_or_pad(any,4,4)", "tf.image.resize_image_with_crop_or_pad(in_,10,10)",
    "tf.image.central_crop(one,.5)", "tf.image.central_crop(any,.5)", "tf.image.crop_to_bounding_box(one,1,1,4,4)", "tf.image.pad_to_bounding_box(one,1,1,10,10)",
    "tf.image.convert_image_dtype(u8,tf.float32)", "tf.image.convert_image_dtype(one,tf.uint8)", "tf.image.resize_images(one,[4,4])", "tf.image.resize_images(any,[4,4])",
    "tf.image.resize_images(in_,[4,4],method=1)", "tf.image.total_variation(in_)", "tf.image.psnr(in_,in_,1.)", "tf.image.ssim(in_,in_,1.)",
    "tf.image.crop_and_resize(in_,tf.ones([1,4]),[0],[2,2])", "tf.image.extract_glimpse(in_,[2,2],n)", "tf.image.sobel_edges(in_)", "tf.image.image_gradients(in_)",
    "tf.image.decode_jpeg(txt)", "tf.image.decode_png(txt,3)", "tf.image.decode_image(txt)", "tf.image.encode_jpeg(u8)", "tf.image.non_max_suppression(tf.ones([2,4]),i,2)",
    "tf.image.draw_bounding_boxes(in_,tf.ones([1,1,4]))", "tf.image.sample_distorted_bounding_box([8,8,3],tf.ones([1,1,4]))", "tf.image.grayscale_to_rgb(one[:,:,:1])",
    "tf.random_crop(one,[4,4,3])", "tf.random_crop(any,[4,4,3])",
    # arrays and mathematics
    "tf.Assert(flag,[x])", "tf.Assert(tf.equal(s,1.),[s],3)", "tf.Print(x,[x])", *words("", "assert_equal assert_less assert_greater assert_none_equal", "ni,ni"),
    *words("", "assert_equal assert_less assert_less_equal assert_greater_equal", "i,i"), *words("", "assert_positive assert_non_negative assert_negative", "n"),
    "tf.assert_rank(x,2)", "tf.assert_rank(r,2)", "tf.assert_rank_at_least(r,1)", "tf.assert_type(x,tf.float32)", "tf.assert_rank_in(r,[1,2])", "tf.assert_variables_initialized()",
    "tf.report_uninitialized_variables()", "tf.global_variables_initializer()", "tf.local_variables_initializer()", "tf.tables_initializer()",
    *words("", "segment_sum segment_mean segment_max segment_min segment_prod", "x,i"), "tf.unsorted_segment_sum(x,i,3)", "tf.unsorted_segment_mean(x,i,3)",
    "tf.unsorted_segment_sqrt_n(x,i,3)", "tf.unsorted_segment_max(x,i,3)", "tf.clip_by_norm(n,1.)", "tf.clip_by_norm(n,1.,1)", "tf.clip_by_average_norm(n,1.)",
    "tf.clip_by_global_norm([n,x],1.)", "tf.global_norm([n])", "tf.norm(n)", "tf.norm(n,1)", "tf.norm(n,axis=1)", "tf.norm(qs,2,axis=[1,2])", "tf.norm(qs,'fro',axis=[1,2])",
    "tf.norm(n,ord=float('inf'))", "tf.reduce_logsumexp(n)", "tf.reduce_logsumexp(n,1)", "tf.reduce_euclidean_norm(n)", "tf.math.reduce_std(n)", "tf.math.reduce_variance(n,1)",
    "tf.tensordot(n3,m,1)", "tf.tensordot(n3,m,[[2],[0]])", "tf.tensordot(r,m,1)", "tf.einsum('ij,jk->ik',n,m)", "tf.einsum('bij,jk->bik',n3,m)", "tf.einsum('bij,bkj->bik',n3,n3)",
    "tf.einsum('bij->bji',n3)", "tf.einsum('i,j->ij',b,b)", "tf.matmul(n3,n3,transpose_b=True)", "tf.boolean_mask(n,nt)", "tf.boolean_mask(x,[True,False])", "tf.boolean_mask(n3,nt)",
    "tf.sequence_mask(ni)", "tf.sequence_mask(ni,5)", "tf.sequence_mask(ni,5,tf.float32)", "tf.sequence_mask(nn)", "tf.one_hot(ni,3)", "tf.one_hot(ni,3,5.,0.)", "tf.one_hot(ni,s)if 0 else tf.one_hot(i,3,dtype=tf.int32)",
    "tf.unstack(x3,axis=1)", "tf.meshgrid(b,c3)", "tf.range(5)", "tf.range(ni[0])", "tf.linspace(0.,1.,5)", "tf.lin_space(s,1.,5)", "tf.eye(3)", "tf.eye(3,batch_shape=[2])", "tf.eye(ni[0])",
    "tf.zeros([2,3])", "tf.zeros([40,50])", "tf.zeros(tf.shape(n))", "tf.ones_like(n)", "tf.zeros_like(x)", "tf.zeros_like(x,tf.int32)", "tf.fill([2,3],0.)", "tf.tile(n,[1,2])", "tf.where(n>0)",
    "tf.where(n>0,n,k)", "tf.scatter_nd(nn,n0,[4])", "tf.gather(n,ni)", "tf.gather(n,ni,axis=1)", "tf.batch_gather(n3,nn)", "tf.gather_nd(n,nn)", "tf.dynamic_partition(n,ni,2)",
    "tf.dynamic_stitch([i,i],[x,x])", "tf.unique(ni)", "tf.unique_with_counts(ni)", "tf.setdiff1d(ni,ni)", "tf.histogram_fixed_width(n0,[0.,1.])", "tf.bincount(ni)", "tf.cumsum(n,1)", "tf.cumsum(n)",
    "tf.argmax(n,1)", "tf.argmax(n)", "tf.arg_max(n,1)", "tf.reverse(n,[1])", "tf.reverse_sequence(n3,ni,1)", "tf.roll(n,1,0)", "tf.squeeze(n1)", "tf.expand_dims(n,-1)", "tf.pad(n,[[0,0],[1,1]])",
    "tf.pad(n,[[0,0],[1,1]],'REFLECT')", "tf.space_to_batch(im,[[0,0],[0,0]],2)", "tf.batch_to_space(tf.concat([im]*2,0),[[0,0],[0,0]],2)", "tf.space_to_batch_nd(im,[2,2],[[0,0],[0,0]])",
    "tf.space_to_depth(im,2)", "tf.required_space_to_batch_paddings([5,7],[2,3])", "tf.extract_image_patches(im,[1,2,2,1],[1,2,2,1],[1,1,1,1],'SAME')", "tf.edit_distance(si,si)", "tf.invert_permutation(i)",
    "tf.transpose(n)", "tf.transpose(n,[1,0])", "tf.transpose(n3,[1,0,2])", "tf.transpose(r)", "tf.matrix_transpose(n3)", "tf.matrix_transpose(r)", "tf.trace(q)", "tf.matrix_diag(n)", "tf.matrix_diag_part(qs)",
    "tf.matrix_set_diag(q,c3)", "tf.matrix_band_part(q,-1,0)", "tf.matrix_inverse(q)", "tf.matrix_determinant(q)", "tf.cholesky(q)", "tf.svd(q)", "tf.qr(q)", "tf.self_adjoint_eig(q)", "tf.self_adjoint_eigvals(q)",
    "tf.linalg.logdet(q)", "tf.linalg.expm(q)", "tf.matrix_solve_ls(q,q)", "tf.norm(q,axis=[0,1])", "tf.cross(c3,c3)", "tf.lbeta(n)", "tf.polygamma(s,s)", "tf.erf(x)", "tf.truediv(i,i)", "tf.div(x,y)", "tf.floordiv(x,y)",
    "tf.divide(i,i)", "i/i", "x//y", "x%y", "x**2", "2**x", "-x", "abs(x)", "x@m", "x[0]", "x[:,1]", "x[...,None]", "x[i[0]]", "n[:ni[0]]", "x3[:,::2]", "tf.round(x)", "tf.accumulate_n([x,y])", "tf.add_n([x])", "tf.add_n([x,y])",
    "tf.foldl(lambda a,v:a+v,n)", "tf.scan(lambda a,v:a+v,n)", "tf.map_fn(tf.tanh,n)", "tf.map_fn(lambda v:v,(n,k))", "tf.scan(lambda a,v:a+v,n,s)if 0 else tf.scan(lambda a,v:a+v,n,b)", "tf.foldr(lambda a,v:a+v,n,b)",
    "tf.while_loop(lambda j:j<3,lambda j:j+1,[0])", "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s],maximum_iterations=2)", "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*x),[0,y])",
    "tf.cond(flag,lambda:x,lambda:y)", "tf.cond(flag,lambda:x*2.,lambda:y)", "tf.case([(flag,lambda:x)],lambda:y)", "tf.case([(flag,lambda:x),(s>0,lambda:y)],lambda:x+y)", "tf.case([(flag,lambda:x),(s>0,lambda:y)],lambda:x+y,exclusive=True)",
    "tf.case({flag:lambda:x},lambda:y)", "tf.group(x,y)", "tf.tuple([x,y])", "tf.no_op()", "tf.py_func(lambda v:v,[x],tf.float32)", "tf.identity_n([x,y])", "tf.stop_gradient(x)", "tf.custom_gradient(lambda v:(v*2.,lambda d:d))(x)",
    # random
    *words("", "random_normal truncated_normal random_uniform", "[2,3]"), "tf.random_normal(tf.shape(n))", "tf.random_uniform([2],0,5,tf.int32)", "tf.random_uniform(tf.shape(n),-1.,1.)", "tf.random_gamma([2],s)", "tf.random_poisson(s,[2])",
    "tf.multinomial(n,2)", "tf.random_shuffle(n)", "tf.random.categorical(n,1)", "tf.distributions.Normal(0.,1.).sample(3)", "tf.distributions.Normal(x,y).log_prob(x)", "tf.distributions.Categorical(n).sample()",
    "tf.distributions.Categorical(n).entropy()", "tf.distributions.Categorical(n).log_prob(ni)", "tf.distributions.Bernoulli(n).sample()", "tf.distributions.Normal(x,y).entropy()", "tf.distributions.kl_divergence(tf.distributions.Normal(x,y),tf.distributions.Normal(y,x))",
    "tf.contrib.distributions.MultivariateNormalDiag(x,y).sample()", "tf.contrib.distributions.MultivariateNormalDiag(x,y).log_prob(x)", "tf.contrib.distributions.RelaxedOneHotCategorical(.5,x).sample()",
    # variables
    "tf.get_variable('v1',[2,3])", "tf.get_variable('v2',[2,3],initializer=tf.zeros_initializer())", "tf.get_variable('v3',[2,3],initializer=tf.contrib.layers.xavier_initializer())", "tf.get_variable('v4',initializer=tf.ones([2]))",
    *[f"tf.get_variable('g{n}',[4,3],initializer=tf.{init})" for n, init in enumerate((
        "random_normal_initializer()", "truncated_normal_initializer()", "random_uniform_initializer(-1,1)", "uniform_unit_scaling_initializer()", "variance_scaling_initializer()", "orthogonal_initializer()",
        "glorot_normal_initializer()", "constant_initializer(.1)", "initializers.he_normal()", "initializers.lecun_uniform()", "contrib.layers.variance_scaling_initializer()"))],
    "tf.get_variable('p1',[4,3],partitioner=tf.fixed_size_partitioner(2))", "tf.Variable(tf.random_normal([2,3]))", "tf.Variable(0)", "tf.Variable(1.,trainable=False)", "tf.Variable([1.,2.],dtype=tf.float64)", "tf.assign(w,w)", "tf.assign_add(wb,wb)",
    "w.assign(w+1.)", "w[0]", "w.initialized_value()", "w.read_value()", "tf.scatter_update(wb,[0],[1.])", "tf.scatter_add(wb,[0],[1.])", "wb[0].assign(1.)", "tf.count_up_to(tf.Variable(0),3)", "tf.is_variable_initialized(w)",
    "tf.contrib.framework.get_or_create_global_step()", "tf.get_variable('rv',[2,3],use_resource=True)",
    # sparse, strings, files
    "tf.sparse_to_dense([0,1],[3],1.)", "tf.sparse_tensor_to_dense(sp)", "tf.sparse_tensor_dense_matmul(sp,m)", "tf.sparse_reduce_sum(sp)", "tf.sparse_reorder(sp)", "tf.sparse_reshape(sp,[8])", "tf.sparse_concat(0,[sp,sp])", "tf.sparse_split(sp_input=sp,num_split=2,axis=1)",
    "tf.sparse_placeholder(tf.float32)", "tf.sparse_placeholder(tf.float32,[2,3])", "tf.sparse_add(sp,sp)", "tf.sparse_softmax(sp)", "tf.sparse_retain(sp,[True,False])", "tf.sparse_slice(sp,[0,0],[1,1])", "tf.sparse_fill_empty_rows(sp,0.)", "tf.sparse_transpose(sp)",
    "tf.sparse_merge(si,sp,5)", "tf.string_split(str_)", "tf.string_join([str_,str_])", "tf.substr(str_,0,1)", "tf.string_to_number(str_)", "tf.as_string(n0)", "tf.string_to_hash_bucket_fast(str_,5)", "tf.regex_replace(str_,'a','b')", "tf.reduce_join(str_)", "tf.decode_raw(str_,tf.uint8)",
    "tf.decode_csv(str_,[[0.],[0]])", "tf.parse_example(str_,{'a':tf.FixedLenFeature([],tf.float32)})", "tf.parse_single_example(txt,{'a':tf.FixedLenFeature([],tf.float32)})", "tf.parse_single_example(txt,{'a':tf.VarLenFeature(tf.float32)})", "tf.read_file(txt)", "tf.matching_files(txt)",
    "tf.contrib.lookup.index_table_from_tensor(['a','b']).lookup(str_)", "tf.contrib.lookup.index_to_string_table_from_tensor(['a','b']).lookup(l)",
    # data
    *[f"tf.data.Dataset.{c}" for c in (
        "from_tensor_slices(x)", "from_tensors(x)", "from_tensor_slices((x,y))", "from_tensor_slices({'a':x})", "range(5)", "range(1,5,2)", "zip((tf.data.Dataset.range(3),tf.data.Dataset.range(4)))",
        "from_generator(lambda:iter([1]),tf.int32)", "list_files('/tmp/*.none')if 0 else tf.data.Dataset.range(3).shuffle(3)", "range(3).batch(2)", "range(3).repeat()", "range(3).repeat(2)", "range(3).take(2)", "range(3).skip(1)",
        "range(3).map(lambda v:v+1)", "range(3).map(lambda v:v+1,num_parallel_calls=2)", "range(3).filter(lambda v:v>1)", "range(3).flat_map(lambda v:tf.data.Dataset.range(v))", "range(3).interleave(lambda v:tf.data.Dataset.range(v),2)",
        "range(3).prefetch(1)", "range(3).cache()", "range(3).shard(2,0)", "range(3).padded_batch(2,[])", "range(3).batch(2,drop_remainder=True)", "range(3).shuffle(3,seed=1)", "range(3).concatenate(tf.data.Dataset.range(2))", "range(3).enumerate()",
        "range(3).window(2)", "range(3).reduce(tf.constant(0,tf.int64),lambda a,b:a+b)", "range(3).apply(tf.data.experimental.shuffle_and_repeat(3))", "range(3).apply(tf.contrib.data.map_and_batch(lambda v:v,2))", "range(3).apply(tf.data.experimental.unbatch())if 0 else tf.data.Dataset.from_tensors(x).apply(tf.data.experimental.unbatch())",
        "range(3).make_one_shot_iterator().get_next()", "range(3).make_initializable_iterator().get_next()", "from_tensor_slices(x).shuffle(4).batch(2).repeat()")],
    "tf.data.TFRecordDataset('a')", "tf.data.TFRecordDataset(['a','b'])", "tf.data.TFRecordDataset(str_)", "tf.data.TextLineDataset('a')", "tf.data.TextLineDataset(['a'])", "tf.data.FixedLengthRecordDataset('a',3)", "tf.data.TFRecordDataset('a',num_parallel_reads=2)",
    "tf.data.Dataset.list_files('a*',shuffle=False)", "tf.data.Dataset.list_files('a*')", "tf.data.experimental.CsvDataset('a',[0.])", "tf.data.Iterator.from_structure(tf.float32,[2])",
    "tf.data.Iterator.from_string_handle(txt,tf.float32,[2]).get_next()", "tf.train.string_input_producer(['a'])", "tf.train.batch([s],2)", "tf.train.shuffle_batch([s],2,10,2)", "tf.train.slice_input_producer([x])", "tf.train.range_input_producer(3)", "tf.FIFOQueue(3,tf.float32).dequeue()",
    "tf.TFRecordReader().read(tf.train.string_input_producer(['a']))", "tf.TextLineReader().read(tf.train.string_input_producer(['a']))", "tf.train.limit_epochs(x,2)", "tf.train.input_producer(x)",
    # summaries, savers, averages
    "tf.summary.scalar('a',s)", "tf.summary.histogram('a',x)", "tf.summary.image('a',im)", "tf.summary.merge_all()", "tf.summary.text('a',txt)", "tf.summary.audio('a',x,8000)", "tf.train.Saver()", "tf.train.Saver([w])", "tf.train.Saver({'a':w})", "tf.train.Saver(max_to_keep=3)",
    "tf.train.ExponentialMovingAverage(.9).apply([w])", "tf.train.ExponentialMovingAverage(.9,step).apply([w])", "tf.train.ExponentialMovingAverage(.9).apply([x])", "tf.contrib.framework.assign_from_values_fn({'Variable':1})if 0 else tf.no_op()",
    # recurrent nets and decoders
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3),n3,dtype=tf.float32)", "tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(3),n3,ni,dtype=tf.float32)", "tf.nn.rnn_cell.LSTMCell(3).zero_state(2,tf.float32)", "tf.nn.rnn_cell.GRUCell(3).zero_state(ni[0],tf.float32)",
    "tf.contrib.seq2seq.sequence_loss(n3,nn,tf.ones([2,5]))", "tf.contrib.seq2seq.sequence_loss(n3,nn,u,average_across_timesteps=False)", "tf.contrib.seq2seq.tile_batch(n,2)",
    "tf.contrib.seq2seq.TrainingHelper(n3,ni)", "tf.contrib.seq2seq.GreedyEmbeddingHelper(emb,i,1)", "tf.contrib.seq2seq.dynamic_decode(tf.contrib.seq2seq.BasicDecoder(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.TrainingHelper(x3,i),tf.zeros([2,3])))",
    "tf.contrib.seq2seq.dynamic_decode(tf.contrib.seq2seq.BasicDecoder(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.TrainingHelper(x3,i),tf.zeros([2,3])),output_time_major=True,maximum_iterations=3)",
    "tf.contrib.seq2seq.dynamic_decode(tf.contrib.seq2seq.BasicDecoder(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.TrainingHelper(n3,ni),tf.zeros([2,3]),tf.layers.Dense(7)))",
    "tf.contrib.seq2seq.dynamic_decode(tf.contrib.seq2seq.BasicDecoder(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.GreedyEmbeddingHelper(emb,i,1),tf.zeros([2,3]),tf.layers.Dense(7)),impute_finished=True)",
    "tf.contrib.seq2seq.dynamic_decode(tf.contrib.seq2seq.BeamSearchDecoder(tf.nn.rnn_cell.GRUCell(3),emb,i,1,tf.contrib.seq2seq.tile_batch(tf.zeros([2,3]),2),2,tf.layers.Dense(7)))",
    "tf.contrib.seq2seq.LuongAttention(3,n3)", "tf.contrib.seq2seq.LuongAttention(3,n3,ni)", "tf.contrib.seq2seq.BahdanauAttention(3,n3,ni)", "tf.contrib.seq2seq.BahdanauAttention(3,x3)",
    "tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.LuongAttention(3,x3),2).zero_state(2,tf.float32)",
    "tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.BahdanauAttention(3,x3,i),2)(x,tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(3),tf.contrib.seq2seq.BahdanauAttention(3,x3,i),2).zero_state(2,tf.float32))",
    "tf.contrib.crf.crf_log_likelihood(x3,tf.ones([2,5],tf.int32),i)", "tf.contrib.crf.crf_decode(x3,tf.ones([4,4]),i)", "tf.contrib.legacy_seq2seq.sequence_loss([x],[i],[tf.ones([2])])", "tf.contrib.rnn.static_rnn(tf.nn.rnn_cell.GRUCell(3),[x],dtype=tf.float32)",
    "tf.nn.bidirectional_dynamic_rnn(tf.nn.rnn_cell.GRUCell(3),tf.nn.rnn_cell.GRUCell(3),n3,ni,dtype=tf.float32)", "tf.nn.raw_rnn(tf.nn.rnn_cell.GRUCell(3),lambda t,o,s_,l_:(tf.ones([2],tf.bool) if o is None else t>=2*tf.ones([2],tf.int32),x,tf.zeros([2,3]) if o is None else s_,o,None))",
]  # fmt: skip
CALLS = list(dict.fromkeys(CALLS))


def counted(tf, text):
    """How many operations a call makes."""
    tf.reset_default_graph()
    tf.set_random_seed(1)
    given = operands(tf)
    graph = tf.get_default_graph()
    before = graph.version
    eval(text, given)
    return graph.version - before
