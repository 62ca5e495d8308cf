"""Libraries of compiled operations."""

from families import error


def libraries(tf, say, folder):
    absent = folder + "/x.so"
    for f in (tf.load_op_library, tf.load_file_system_library):
        say([error(f, absent), error(f, folder)])
    say([error(tf.load_library, absent), error(tf.load_library, folder)])
