"""tf.contrib.cudnn_rnn: recurrent nets of several layers with all weights in one variable."""
