"""Expressions and programs whose operations are counted: written down by `record_counts.py`."""


def operands(tf):
    """What the expressions read: float placeholders of several shapes, and others."""
    p, f = tf.placeholder, tf.float32
    return {
        "tf": tf, "x": p(f, [2, 4]), "y": p(f, [2, 4]), "b": p(f, [4]), "s": p(f, []),
        "n": p(f, [None, 4]), "k": p(f, [None, 4]), "u": p(f, [None, None]), "r": p(f),
        "m": p(f, [4, 3]), "x1": p(f, [2, 1]), "n1": p(f, [None, 1]), "n0": p(f, [None]),
        "x3": p(f, [2, 5, 4]), "n3": p(f, [None, 5, 4]), "i": p(tf.int32, [2]),
        "im": p(f, [2, 8, 8, 3]), "in_": p(f, [None, 8, 8, 3]), "f": p(f, [3, 3, 3, 2]),
        "c3": p(f, [3]), "ni": p(tf.int32, [None]), "t": p(tf.bool, [2, 4]), "q": p(f, [3, 3]),
        "g": p(f, [3, 3, 2, 3]), "w": p(f, [5, 3]), "big": p(f, [40, 50]), "ns": p(f, [None, 3, 3]),
    }  # fmt: skip


UNARY = """abs acos acosh asin asinh atan atanh ceil cos cosh digamma erf erfc exp expm1 floor
identity is_nan lgamma log log1p log_sigmoid negative reciprocal rint round rsqrt sigmoid sign sin
sinh sqrt square stop_gradient tan tanh nn.elu nn.relu nn.relu6 nn.selu nn.softplus nn.softsign
nn.leaky_relu nn.softmax nn.log_softmax nn.l2_loss zeros_like ones_like nn.crelu""".split()
BINARY = """add subtract multiply divide maximum minimum pow squared_difference div_no_nan floordiv
truediv realdiv floormod atan2""".split()
REDUCE = "reduce_sum reduce_mean reduce_max reduce_min reduce_prod reduce_logsumexp".split()

#: What loops do with a variable, by what it begins as.
BODIES = {
    "s": [
        "a*2.",
        "a*s",
        "a+tf.reduce_sum(n)",
        "a+tf.reduce_sum(n*a,1)[0]",
        "a+tf.reduce_mean(n)",
        "tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,c*2.),[0,a])[1]",
        "tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,c*a),[0,a])[1]",
        "a*tf.to_float(j)",
        "tf.cond(j>1,lambda:a*2.,lambda:a+1.)",
        "tf.cond(j>1,lambda:a*s,lambda:a)",
    ],
    "x": [
        "tf.tanh(a)",
        "a*b",
        "tf.concat([a[:,1:],a[:,:1]],1)",
        "a+tf.gather(x,i)",
        "tf.stop_gradient(a)*x",
    ],
    "n": [
        "a+b",
        "tf.sigmoid(a)*tf.exp(a)-tf.square(a)",
        "a/(1.+tf.sqrt(a))",
        "tf.nn.softmax(a)",
        "tf.where(a>0,a,n)",
        "tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,c*a*s),[0,a])[1]",
        "tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,tf.tanh(c)*b),[0,a])[1]",
        "tf.while_loop(lambda l,c,d:l<2,lambda l,c,d:(l+1,c*d,d),[0,a,n])[1]",
        "tf.nn.bias_add(a,b)",
        "tf.cond(j>1,lambda:a*n,lambda:tf.tanh(a))",
    ],
    "y": [
        "x",
    ],
    "k": [
        "n",
    ],
    "q": [
        "tf.matmul(a,q)",
        "tf.nn.relu(tf.matmul(a,tf.reshape(q,[3,3]))+c3)",
        "tf.transpose(a)",
    ],
    "tf.zeros([2])": [
        "a+tf.reduce_mean(x,1)",
    ],
    "b": [
        "a+tf.gather(n,j)",
        "a+n[j]",
        "a+x[j]",
    ],
}
#: The same where the body has conds.
CHOICES = {
    "x": [
        "tf.cond(j>1,lambda:tf.sigmoid(a)*a,lambda:tf.nn.relu(a)+b)",
        "a*tf.cond(j>1,lambda:s,lambda:2.)",
        "tf.cond(j>1,lambda:tf.split(a,2,1)[0]+0.*a[:,:2],lambda:a[:,:2])[:,:1]*a",
    ],
    "s": [
        "tf.cond(j>1,lambda:tf.cond(j>2,lambda:a*2.,lambda:tf.tanh(a)),lambda:a)",
        "tf.cond(s>1,lambda:a*2.,lambda:a*s)",
        "tf.cond(j>1,lambda:tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,c*2.),[0,a])[1],lambda:a)",
        "tf.while_loop(lambda l,c:l<2,lambda l,c:(l+1,"
        "tf.cond(l>0,lambda:c*a,lambda:tf.tanh(c))),[0,a])[1]",
        "tf.cond(j>1,lambda:(a*2.,a+1.),lambda:(a,a*a))[0]",
    ],
    "n": [
        "tf.cond(j>1,lambda:tf.cond(j>2,lambda:a*n,lambda:tf.tanh(a)),lambda:a*a)",
        "tf.cond(j>1,lambda:tf.concat([a[:,1:],a[:,:1]],1)+n,lambda:n)",
        "tf.cond(j>1,lambda:a+tf.reduce_sum(n*a),lambda:a)",
    ],
    "q": [
        "tf.cond(tf.reduce_sum(a)>1,lambda:a*a,lambda:tf.matmul(a,q))",
    ],
}
LOOPS = [
    *[
        f"tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,{body}),[0,{first}])[1]"
        for first, bodies in [*BODIES.items(), *CHOICES.items()]
        for body in bodies
    ],
    "tf.while_loop(lambda j,a:j<3,lambda "
    "j,a:(j+1,a+n),[0,k],shape_invariants=[tf.TensorShape([]),tf.TensorShape([None,4])])[1]",
    "tf.while_loop(lambda j,a,c:j<3,lambda j,a,c:(j+1,a*2.,c+1.),[0,s,s])[1]",
    "tf.while_loop(lambda j,a,c:j<3,lambda j,a,c:(j+1,a*c,c+1.),[0,s,1.])[1]",
    "tf.while_loop(lambda j,a,c:j<3,lambda j,a,c:(j+1,a*2.,c+1.),[0,s,1.])[1]",
    "tf.while_loop(lambda j,a,c:j<3,lambda j,a,c:(j+1,a*2.,c),[0,s,n])[1]",
    "tf.while_loop(lambda j,a:tf.reduce_sum(a)<3.,lambda j,a:(j+1,a*a),[0,x])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.maximum(a,n)),[0,n])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.concat([a[:,1:],a[:,:1]],1)),[0,n],sha"
    "pe_invariants=[tf.TensorShape([]),tf.TensorShape([None,4])])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.concat(tf.split(a,2,1)[::-"
    "1],1)),[0,n],shape_invariants=[tf.TensorShape([]),tf.TensorShape([None,4])])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.tile(tf.split(a,2,1)[0],[1,2])),[0,n],"
    "shape_invariants=[tf.TensorShape([]),tf.TensorShape([None,4])])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s],maximum_iterations=2)[1]",
    "tf.while_loop(lambda a:tf.reduce_sum(a)<3.,lambda a:a*x,[x])",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.reshape(a,tf.shape(n))),[0,n],shape_in"
    "variants=[tf.TensorShape([]),tf.TensorShape([None,4])])[1]",
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s])[1],lambda:s)",
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda "
    "j,a:(j+1,tf.tanh(a)),[0,n])[1],lambda:n*2.)",
    "tf.scan(lambda a,v:a+v,n)",
    "tf.map_fn(tf.tanh,n)",
    "tf.foldl(lambda a,v:a+v,n)",
    "tf.scan(lambda a,v:a*v,n,initializer=b)",
    "tf.map_fn(lambda v:v*b,n)",
    "tf.foldr(lambda a,v:tf.tanh(a+v),n)",
    "tf.scan(lambda a,v:a*tf.reduce_sum(v),x3)",
    "tf.scan(lambda a,v:tf.tanh(a*v),n,reverse=True)",
    "tf.map_fn(lambda v:(v[0]*v[1],v[0]),(n,k),dtype=(tf.float32,tf.float32))[0]",
    "tf.map_fn(lambda v:tf.matmul(v,m),n3)",
    "tf.map_fn(lambda v:tf.map_fn(tf.tanh,v),n3)",
    "tf.map_fn(lambda v:tf.reduce_sum(v),x)",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(4),n3,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(4),n3,dtype=tf.float32)[1]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(4),x3,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(4,use_peepholes=True,num_proj=3),n3,dtype=tf"
    ".float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(4),n3,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(4),n3,sequence_length=ni,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicRNNCell(4),n3,sequence_length=ni,dtype=tf.float32)[1]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicRNNCell(4),x3,sequence_length=i,dtype=tf.float32)[1]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.BasicLSTMCell(4),.5,.5)"
    ",n3,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.BasicLSTMCell(4),s,stat"
    "e_keep_prob=s),n3,sequence_length=ni,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.GRUCell(4),tf.nn.rnn_cel"
    "l.GRUCell(3)]),n3,dtype=tf.float32)[0]",
    "tf.nn.dynamic_rnn(tf.nn.rnn_cell.ResidualWrapper(tf.nn.rnn_cell.GRUCell(4)),n3,dtype=t"
    "f.float32,time_major=True)[0]",
    "tf.nn.bidirectional_dynamic_rnn(tf.nn.rnn_cell.GRUCell(4),tf.nn.rnn_cell.GRUCell(4),n3"
    ",dtype=tf.float32)[0]",
    "tf.nn.bidirectional_dynamic_rnn(tf.nn.rnn_cell.LSTMCell(4),tf.nn.rnn_cell.LSTMCell(4),"
    "n3,sequence_length=ni,dtype=tf.float32)[0]",
    "tf.keras.layers.LSTM(4)(n3)",
    "tf.keras.layers.GRU(4,return_sequences=True)(n3)",
    "tf.keras.layers.SimpleRNN(4)(x3)",
    "tf.keras.layers.LSTM(4,dropout=.5,recurrent_dropout=.2)(n3)",
    "tf.linalg.expm(q)",
    "tf.scan(lambda a,v:tf.cond(tf.reduce_sum(v)>0,lambda:a*v,lambda:a+b),n,initializer=b)",
    "tf.map_fn(lambda v:tf.cond(v[0]>0,lambda:v*2.,lambda:tf.exp(v)),n)",
]
ARRAYS = [
    "tf.TensorArray(tf.float32,2).unstack(x).stack()",
    "tf.TensorArray(tf.float32,3,dynamic_size=True,element_shape=[4]).write(0,b).stack()",
    "tf.TensorArray(tf.float32,2,clear_after_read=False).unstack(x).read(0)",
    "tf.TensorArray(tf.float32,2,clear_after_read=False).unstack(x).gather([0,1])",
    "tf.TensorArray(tf.float32,2,clear_after_read=False).unstack(x).concat()",
    "tf.TensorArray(tf.float32,2).split(x,[1,1]).concat()",
    "tf.TensorArray(tf.float32,2).scatter([1,0],x).stack()",
]

EXPRESSIONS = [
    *[f"tf.{f}({a})" for f in UNARY for a in ("x", "n")],
    *[
        f"tf.{f}({a})"
        for f in BINARY
        for a in ("x,y", "x,b", "x,s", "n,b", "n,k", "n,n1", "u,r", "x,2.", "n,2.", "2.,n", "x,x")
    ],
    *[
        f"tf.{f}({a})"
        for f in REDUCE
        for a in ("x", "x,1", "x,[0,1]", "x,1,True", "x,-1", "n", "n,1", "n,0", "n,[1],True", "u",
                  "n3,[1,2]", "r", "s", "n,[0,1]")
    ],
    "x+1.", "1.-n", "n*2.", "n/2.", "x**2", "n**2.", "-n", "n*n", "n+n", "n-b", "b-n", "n+s",
    "x*x1", "n*b+b", "n[0]", "x[:,1]", "n[:,1:3]", "n[:,0]", "x3[:,-1]", "n3[:,-1,:]", "x[None]",
    "tf.matmul(x,m)", "tf.matmul(n,m)", "tf.matmul(n,k,transpose_a=True)", "tf.matmul(u,u)",
    "tf.matmul(n,x,transpose_b=True)", "tf.matmul(x3,x3,transpose_b=True)",
    "tf.matmul(n3,n3,transpose_b=True)", "tf.matmul(x3,n3,transpose_a=True)",
    "tf.tensordot(n3,m,1)", "tf.tensordot(x3,m,[[2],[0]])", "tf.tensordot(n,m,1)",
    "tf.nn.bias_add(n,b)", "tf.nn.xw_plus_b(n,m,c3)", "tf.nn.bias_add(in_,c3)", "tf.add_n([n,k])",
    "tf.add_n([x,y,x])", "tf.accumulate_n([x,y])",
    "tf.concat([x,y],0)", "tf.concat([x,y],1)", "tf.concat([n,n1],1)", "tf.concat([n,k],0)",
    "tf.concat([n,n1,n1],-1)", "tf.stack([x,y])", "tf.stack([n,k],1)", "tf.unstack(x)[0]",
    "tf.unstack(x3,axis=1)[-1]", "tf.add_n(tf.unstack(n3,axis=1))", "tf.split(x,2,1)[0]",
    "tf.add_n(tf.split(n,2,1))", "tf.split(n,[1,3],1)[0]", "tf.reshape(x,[8])",
    "tf.reshape(n,[-1,2,2])", "tf.transpose(x)", "tf.transpose(n,[1,0])", "tf.transpose(n)",
    "tf.transpose(n3,[1,0,2])", "tf.expand_dims(n,1)", "tf.squeeze(n1,1)", "tf.squeeze(x1)",
    "tf.tile(x,[2,1])", "tf.tile(n1,[1,3])", "tf.pad(x,[[0,0],[1,1]])", "tf.slice(n,[0,1],[-1,2])",
    "tf.strided_slice(n,[0,0],[2,2])", "tf.gather(m,i)", "tf.gather(x,i,axis=1)",
    "tf.gather(n,ni)", "tf.gather_nd(n,tf.stack([ni,ni],1))", "tf.nn.embedding_lookup(m,i)",
    "tf.nn.embedding_lookup(m,ni)", "tf.cast(x,tf.float64)", "tf.cast(n,tf.float32)",
    "tf.where(t,x,y)", "tf.where(n>0,n,k)", "tf.where(n>0,n,tf.zeros_like(n))",
    "tf.clip_by_value(x,-1.,1.)", "tf.clip_by_value(n,-1.,1.)", "tf.clip_by_norm(x,1.)",
    "tf.clip_by_norm(n,1.)", "tf.clip_by_global_norm([x,n],1.)[0][0]", "tf.norm(n)",
    "tf.norm(n,axis=1)", "tf.global_norm([x,n])",
    "tf.nn.l2_normalize(x,1)", "tf.nn.l2_normalize(n,1)", "tf.nn.moments(n,[0])[0]",
    "tf.nn.moments(x,[0])[1]", "tf.nn.moments(in_,[0,1,2])[1]", "tf.nn.dropout(x,.5)",
    "tf.nn.dropout(n,.5)", "tf.nn.dropout(n,keep_prob=s)", "tf.nn.softmax(x3)",
    "tf.nn.softmax(n3,1)",
    "tf.nn.log_softmax(n3)", "tf.nn.softmax(tf.reshape(r,[-1]))",
    "tf.nn.softmax_cross_entropy_with_logits(labels=x,logits=y)",
    "tf.nn.softmax_cross_entropy_with_logits(labels=n,logits=k)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=x,logits=y)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=n,logits=k)",
    "tf.nn.softmax_cross_entropy_with_logits_v2(labels=n3,logits=n3)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=i,logits=x)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ni,logits=n)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.argmax(x3,2),logits=x3)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.argmax(n3,2),logits=n3)",
    "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.argmax(b),logits=b)",
    "tf.sort(n)", "tf.sort(n,0)", "tf.sort(n,direction='DESCENDING')", "tf.sort(r)",
    "tf.sort(x3,1,'DESCENDING')", "tf.gather(b,tf.argsort(b))", "tf.gather(x,tf.argsort(n,0)[0])",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=x,logits=y)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=n,logits=k)",
    "tf.nn.weighted_cross_entropy_with_logits(n,k,2.)",
    "tf.nn.log_poisson_loss(x,y)", "tf.losses.mean_squared_error(x,y)",
    "tf.losses.mean_squared_error(n,k)", "tf.losses.absolute_difference(n,k)",
    "tf.losses.huber_loss(n,k)", "tf.losses.log_loss(n,k)", "tf.losses.hinge_loss(n,k)",
    "tf.losses.sigmoid_cross_entropy(n,k)", "tf.losses.softmax_cross_entropy(n,k)",
    "tf.losses.softmax_cross_entropy(x,y)", "tf.losses.sigmoid_cross_entropy(x,y)",
    "tf.losses.sparse_softmax_cross_entropy(ni,n)", "tf.losses.sparse_softmax_cross_entropy(i,x)",
    "tf.losses.cosine_distance(x,y,1)", "tf.losses.mean_squared_error(n,k,weights=n1)",
    "tf.nn.conv2d(im,f,[1,1,1,1],'SAME')", "tf.nn.conv2d(in_,f,[1,2,2,1],'VALID')",
    "tf.nn.conv2d(in_,f,[1,1,1,1],'SAME',dilations=[1,2,2,1])",
    "tf.nn.conv2d_transpose(in_,g[:,:,:,:],[4,8,8,2],[1,1,1,1])",
    "tf.nn.conv1d(n3,tf.reshape(m,[1,4,3]),1,'SAME')",
    "tf.nn.max_pool(in_,[1,2,2,1],[1,2,2,1],'SAME')",
    "tf.nn.avg_pool(in_,[1,2,2,1],[1,2,2,1],'SAME')", "tf.nn.lrn(in_)",
    "tf.nn.depthwise_conv2d(in_,f,[1,1,1,1],'SAME')", "tf.nn.atrous_conv2d(in_,f,2,'SAME')",
    "tf.nn.separable_conv2d(in_,f,tf.reshape(f,[1,1,6,9]),[1,1,1,1],'SAME')",
    "tf.nn.fused_batch_norm(in_,c3,c3)[0]",
    "tf.nn.fused_batch_norm(in_,c3,c3,c3,c3,is_training=False)[0]",
    "tf.nn.batch_normalization(n,b,b,b,b,1e-3)", "tf.nn.batch_normalization(x,b,b,None,None,.1)",
    "tf.layers.flatten(in_)", "tf.layers.flatten(im)", "tf.contrib.layers.flatten(in_)",
    "tf.image.resize_bilinear(in_,[4,4])", "tf.image.resize_images(in_,[4,4])",
    "tf.image.resize_nearest_neighbor(in_,[4,4])", "tf.image.resize_bilinear(in_,[16,16])",
    "tf.image.resize_nearest_neighbor(in_,[16,16])",
    "tf.depth_to_space(tf.pad(in_,[[0,0],[0,0],[0,0],[0,1]]),2)", "tf.space_to_depth(in_,2)",
    "tf.reverse(n,[1])", "tf.cumsum(n,1)", "tf.cumprod(n,1)", "tf.diag(b)", "tf.diag_part(q)",
    "tf.matrix_diag(n)", "tf.matrix_diag_part(ns)", "tf.matrix_band_part(q,-1,0)", "tf.trace(q)",
    "tf.matrix_inverse(q)", "tf.matrix_determinant(q)", "tf.cholesky(q)", "tf.linalg.logdet(q)",
    "tf.matrix_solve(q,q)", "tf.matrix_triangular_solve(q,q)", "tf.einsum('ij,jk->ik',n,m)",
    "tf.einsum('bij,jk->bik',n3,m)", "tf.boolean_mask(x,[True,False])", "tf.boolean_mask(n,n0>0)",
    "tf.unsorted_segment_sum(x,i,3)", "tf.segment_sum(x,i)", "tf.segment_mean(x,i)",
    "tf.dynamic_partition(x,i,2)[0]", "tf.nn.top_k(n,2)[0]",
    "tf.scatter_nd(tf.stack([ni,ni],1),n0,[4,4])",
    "tf.check_numerics(n,'')", "tf.Print(n,[n])", "tf.stop_gradient(n)+n", "tf.identity(n)+k",
    "tf.multiply(n,k)*tf.one_hot(ni,4)", "tf.reduce_sum(n*tf.one_hot(ni,4),axis=1)",
    "tf.reduce_mean(-tf.log(n)*n1)", "tf.reduce_mean(tf.square(n-k))",
    "tf.reduce_mean(tf.squared_difference(n,k))", "tf.reduce_sum(tf.abs(x-y))",
    "tf.reduce_mean(tf.nn.relu(tf.matmul(n,m)+c3))", "tf.broadcast_to(b,[2,4])",
    "tf.meshgrid(b,c3)[0]", "tf.linspace(0.,1.,3)*c3", "tf.complex(x,y)", "tf.sqrt(big)*big",
    "tf.fill([2,2],s)", "tf.roll(x,1,0)", "tf.reverse_sequence(x3,i,1)",
    "tf.space_to_batch(im,[[0,0],[0,0]],2)",
    "tf.extract_image_patches(im,[1,2,2,1],[1,2,2,1],[1,1,1,1],'VALID')",
    "tf.sequence_mask([1,2],4,tf.float32)*x",
    "tf.math.xlogy(x,y)", "tf.igamma(x,y)", "tf.lbeta(n)",
    "tf.math.polyval([x,y],x)",
    "tf.nn.relu(x)+tf.nn.relu(x)", "tf.exp(n)/(1.+tf.exp(n))",
    "tf.cond(s>0,lambda:x*2.,lambda:x+1.)",
    "tf.cond(s>0,lambda:n,lambda:k)", "tf.nn.bias_add(x,b)",
    "tf.cond(s>0,lambda:n*s,lambda:tf.tanh(n))*n", "tf.cond(s>0,lambda:(n,s),lambda:(k,1.))[0]",
    "tf.nn.convolution(in_,f,'SAME',dilation_rate=[2,2])", "tf.image.resize_bicubic(in_,[4,4])",
    "tf.nn.convolution(in_,f,'VALID',dilation_rate=[2,1])", "tf.image.resize_images(im,[8,8])",
    "tf.nn.zero_fraction(n)", "tf.random_crop(x,[1,2])", "tf.image.resize_area(im,[4,4])",
    *LOOPS, *ARRAYS,
]  # fmt: skip
EXPRESSIONS = list(dict.fromkeys(EXPRESSIONS))


def counts(tf, text):
    """How many operations an expression makes, its gradient, and its gated gradient."""
    tf.reset_default_graph()
    tf.set_random_seed(1)
    graph = tf.get_default_graph()
    given = operands(tf)
    xs = [v for k, v in given.items() if k != "tf" and v.dtype == tf.float32]
    made = [graph.version]
    out = eval(text, given)
    made.append(graph.version)
    tf.gradients(out, xs)
    made.append(graph.version)
    tf.gradients(out, xs, gate_gradients=True)
    made.append(graph.version)
    return [made[i + 1] - made[i] for i in range(3)]


# ------------------------------------------------------------------------- optimizers and programs

OPTIMIZERS = {
    "gradient_descent": lambda t: t.GradientDescentOptimizer(0.1),
    "momentum": lambda t: t.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda t: t.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adagrad": lambda t: t.AdagradOptimizer(0.1),
    "adadelta": lambda t: t.AdadeltaOptimizer(0.1),
    "rmsprop": lambda t: t.RMSPropOptimizer(0.1),
    "centered": lambda t: t.RMSPropOptimizer(0.1, momentum=0.5, centered=True),
    "adam": lambda t: t.AdamOptimizer(),
    "ftrl": lambda t: t.FtrlOptimizer(0.1),
    "ftrl_all": lambda t: t.FtrlOptimizer(
        0.1, l1_regularization_strength=0.1, l2_shrinkage_regularization_strength=0.1
    ),
    "proximal": lambda t: t.ProximalGradientDescentOptimizer(0.1, 0.1, 0.1),
    "proximal_adagrad": lambda t: t.ProximalAdagradOptimizer(0.1),
    "adagrad_da": lambda t: t.AdagradDAOptimizer(0.1, t.get_or_create_global_step()),
}


def optimized(tf, name, kind):
    """Operations of slots and updates: of whole gradients, of another type, of rows."""
    tf.reset_default_graph()
    tf.set_random_seed(1)
    graph = tf.get_default_graph()
    dtype = tf.float64 if kind == "double" else tf.float32
    w = tf.get_variable("w", [40, 30], dtype, initializer=tf.zeros_initializer())
    b = tf.get_variable("b", [30], dtype, initializer=tf.zeros_initializer())
    if kind == "rows":
        loss = tf.reduce_sum(tf.nn.embedding_lookup(w, [1, 2, 1])) + tf.reduce_sum(b)
    else:
        loss = tf.reduce_sum(w * w) + tf.reduce_sum(b)
    step = tf.train.get_or_create_global_step()
    made = [graph.version]
    optimizer = OPTIMIZERS[name](tf.train)
    pairs = optimizer.compute_gradients(loss, [w, b])
    made.append(graph.version)
    optimizer.apply_gradients(pairs)
    made.append(graph.version)
    optimizer.apply_gradients(pairs, global_step=step)
    made.append(graph.version)
    return [made[i + 1] - made[i] for i in range(3)]


def marks(tf, program):
    """How many operations there are at each place that a program marks."""
    tf.reset_default_graph()
    tf.set_random_seed(1)
    graph = tf.get_default_graph()
    found = []
    program(tf, lambda name: found.append([name, graph.version]))
    return found


def mlp(tf, mark):
    """Two layers by hand, two optimizers one after the other."""
    x, y = tf.placeholder(tf.float32, [None, 8]), tf.placeholder(tf.float32, [None, 3])
    w1 = tf.Variable(tf.random_normal([8, 16]))
    b1 = tf.Variable(tf.zeros([16]))
    w2 = tf.Variable(tf.random_normal([16, 3]))
    b2 = tf.Variable(tf.zeros([3]))
    out = tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=out, labels=y))
    mark("loss")
    tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    mark("descent")
    tf.train.AdamOptimizer(0.1).minimize(loss)
    mark("adam")
    equal = tf.equal(tf.argmax(out, 1), tf.argmax(y, 1))
    tf.reduce_mean(tf.cast(equal, tf.float32))
    mark("accuracy")


def layers(tf, mark):
    """Layers with regularization and a clipped gradient, counted steps."""
    x, y = tf.placeholder(tf.float32, [None, 8]), tf.placeholder(tf.int32, [None])
    h = tf.layers.dense(x, 16, tf.nn.relu, kernel_regularizer=tf.contrib.layers.l2_regularizer(0.1))
    h = tf.layers.dropout(h, 0.5, training=True)
    out = tf.layers.dense(h, 3)
    loss = tf.losses.sparse_softmax_cross_entropy(y, out)
    total = loss + tf.losses.get_regularization_loss()
    mark("loss")
    step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(0.1, step, 100, 0.9)
    optimizer = tf.train.MomentumOptimizer(rate, 0.9)
    pairs = optimizer.compute_gradients(total)
    mark("gradients")
    gradients, _ = tf.clip_by_global_norm([g for g, _ in pairs], 5.0)
    mark("clipped")
    optimizer.apply_gradients(zip(gradients, [v for _, v in pairs]), global_step=step)  # noqa: B905
    mark("applied")


def cnn(tf, mark):
    """Convolutions, pooling and dropout by hand."""
    x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    keep = tf.placeholder(tf.float32)
    image = tf.reshape(x, [-1, 28, 28, 1])
    w1 = tf.Variable(tf.truncated_normal([5, 5, 1, 4], stddev=0.1))
    b1 = tf.Variable(tf.constant(0.1, shape=[4]))
    h = tf.nn.relu(tf.nn.conv2d(image, w1, [1, 1, 1, 1], "SAME") + b1)
    h = tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    flat = tf.reshape(h, [-1, 14 * 14 * 4])
    w2 = tf.Variable(tf.truncated_normal([14 * 14 * 4, 10], stddev=0.1))
    out = tf.nn.softmax(tf.matmul(tf.nn.dropout(flat, keep), w2))
    loss = tf.reduce_mean(-tf.reduce_sum(y * tf.log(out), reduction_indices=[1]))
    mark("loss")
    tf.train.AdamOptimizer(1e-4).minimize(loss)
    mark("adam")
    tf.layers.conv2d(image, 4, 3, activation=tf.nn.relu)
    mark("layer")


def batch_norm(tf, mark):
    """Layers with batch normalization, trained under its updates."""
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    h = tf.layers.conv2d(x, 4, 3, strides=2, padding="same", use_bias=False)
    h = tf.nn.leaky_relu(tf.layers.batch_normalization(h, training=True))
    h = tf.layers.max_pooling2d(h, 2, 2)
    h = tf.layers.batch_normalization(tf.layers.dense(tf.layers.flatten(h), 5), training=True)
    loss = tf.reduce_mean(tf.square(h))
    mark("loss")
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        tf.train.RMSPropOptimizer(0.01).minimize(loss)
    mark("rmsprop")


def vae(tf, mark):
    """A variational autoencoder."""
    x = tf.placeholder(tf.float32, [None, 20])
    h = tf.layers.dense(x, 16, tf.nn.softplus)
    mean, log = tf.layers.dense(h, 2), tf.layers.dense(h, 2)
    noise = tf.random_normal(tf.shape(mean), 0.0, 1.0)
    z = mean + tf.exp(log / 2.0) * noise
    out = tf.layers.dense(tf.layers.dense(z, 16, tf.nn.tanh), 20)
    likely = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(logits=out, labels=x), 1)
    kl = -0.5 * tf.reduce_sum(1.0 + log - tf.square(mean) - tf.exp(log), 1)
    loss = tf.reduce_mean(likely + kl)
    mark("loss")
    tf.train.AdamOptimizer(1e-3).minimize(loss)
    mark("adam")
    tf.sigmoid(tf.layers.dense(tf.random_normal([4, 2]), 20))
    mark("sample")


def gan(tf, mark):
    """Two nets with an optimizer each."""
    z, x = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None, 6])

    def generator(z):
        with tf.variable_scope("g"):
            return tf.layers.dense(tf.layers.dense(z, 8, tf.nn.relu), 6, tf.nn.sigmoid)

    def discriminator(x, reuse=None):
        with tf.variable_scope("d", reuse=reuse):
            return tf.layers.dense(tf.layers.dense(x, 8, tf.nn.leaky_relu), 1)

    made = generator(z)
    real, fake = discriminator(x), discriminator(made, True)
    cross = tf.nn.sigmoid_cross_entropy_with_logits
    d_loss = tf.reduce_mean(cross(logits=real, labels=tf.ones_like(real)))
    d_loss += tf.reduce_mean(cross(logits=fake, labels=tf.zeros_like(fake)))
    g_loss = tf.reduce_mean(cross(logits=fake, labels=tf.ones_like(fake)))
    mark("losses")
    variables = tf.trainable_variables()
    d_vars = [v for v in variables if v.name.startswith("d/")]
    g_vars = [v for v in variables if v.name.startswith("g/")]
    tf.train.AdamOptimizer(2e-4, beta1=0.5).minimize(d_loss, var_list=d_vars)
    mark("d")
    tf.train.AdamOptimizer(2e-4, beta1=0.5).minimize(g_loss, var_list=g_vars)
    mark("g")
    generator_again = tf.layers.dense(z, 3)
    mark(generator_again.op.type)


def actor_critic(tf, mark):
    """A policy and a value function, an optimizer each."""
    s = tf.placeholder(tf.float32, [1, 4], "state")
    a, td = tf.placeholder(tf.int32, None, "act"), tf.placeholder(tf.float32, None, "td")
    w = tf.random_normal_initializer(0.0, 0.1)
    b = tf.constant_initializer(0.1)
    with tf.variable_scope("actor"):
        l1 = tf.layers.dense(s, 20, tf.nn.relu, kernel_initializer=w, bias_initializer=b)
        p = tf.layers.dense(l1, 2, tf.nn.softmax, kernel_initializer=w, bias_initializer=b)
        with tf.variable_scope("exp_v"):
            value = tf.reduce_mean(tf.log(p[0, a]) * td)
        mark("actor")
        with tf.variable_scope("train"):
            tf.train.AdamOptimizer(0.001).minimize(-value)
    mark("trained")
    v_, r = tf.placeholder(tf.float32, [1, 1]), tf.placeholder(tf.float32, None)
    with tf.variable_scope("critic"):
        l1 = tf.layers.dense(s, 20, tf.nn.relu, kernel_initializer=w, bias_initializer=b)
        v = tf.layers.dense(l1, 1, kernel_initializer=w, bias_initializer=b)
        loss = tf.square(r + 0.9 * v_ - v)
        mark("critic")
        tf.train.AdamOptimizer(0.01).minimize(loss)
    mark("done")


def dqn(tf, mark):
    """A net and its target, which is assigned."""
    s, s_ = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None, 4])
    r, a = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    with tf.variable_scope("eval"):
        q = tf.layers.dense(tf.layers.dense(s, 20, tf.nn.relu), 2)
    with tf.variable_scope("target"):
        q_ = tf.layers.dense(tf.layers.dense(s_, 20, tf.nn.relu), 2)
    target = tf.stop_gradient(r + 0.9 * tf.reduce_max(q_, axis=1))
    index = tf.stack([tf.range(tf.shape(a)[0], dtype=tf.int32), a], axis=1)
    wrt = tf.gather_nd(params=q, indices=index)
    loss = tf.reduce_mean(tf.squared_difference(target, wrt, name="TD"))
    mark("loss")
    tf.train.RMSPropOptimizer(0.01).minimize(loss)
    mark("trained")
    e = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="eval")
    t = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="target")
    [tf.assign(x, y) for x, y in zip(t, e)]  # noqa: B905
    mark("replaced")
    tf.layers.dense(s, 3)
    mark("done")


def ddpg(tf, mark):
    """An actor by the gradient of a critic, targets that are averages."""
    s, r = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 1])
    s_ = tf.placeholder(tf.float32, [None, 3])

    def actor(s, reuse=None, getter=None):
        with tf.variable_scope("actor", reuse=reuse, custom_getter=getter):
            net = tf.layers.dense(s, 30, activation=tf.nn.relu, name="l1")
            a = tf.layers.dense(net, 1, activation=tf.nn.tanh, name="a")
            return tf.multiply(a, 2.0, name="scaled")

    def critic(s, a, reuse=None, getter=None):
        with tf.variable_scope("critic", reuse=reuse, custom_getter=getter):
            w1_s, w1_a = tf.get_variable("w1_s", [3, 30]), tf.get_variable("w1_a", [1, 30])
            b1 = tf.get_variable("b1", [1, 30])
            net = tf.nn.relu(tf.matmul(s, w1_s) + tf.matmul(a, w1_a) + b1)
            return tf.layers.dense(net, 1)

    a = actor(s)
    q = critic(s, a)
    a_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="actor")
    c_params = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="critic")
    ema = tf.train.ExponentialMovingAverage(decay=0.99)
    update = [ema.apply(a_params), ema.apply(c_params)]
    mark("averages")

    def getter(getter, name, *args, **kwargs):
        return ema.average(getter(name, *args, **kwargs))

    a_ = actor(s_, True, getter)
    q_ = critic(s_, a_, True, getter)
    mark("targets")
    tf.train.AdamOptimizer(0.001).minimize(-tf.reduce_mean(q), var_list=a_params)
    mark("actor")
    with tf.control_dependencies(update):
        error = tf.losses.mean_squared_error(labels=r + 0.9 * q_, predictions=q)
        tf.train.AdamOptimizer(0.002).minimize(error, var_list=c_params)
    mark("critic")


def policy_gradient(tf, mark):
    """Actor's gradient by `tf.gradients` with given gradients of ys."""
    s, g = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None, 1])
    a = tf.layers.dense(tf.layers.dense(s, 8, tf.nn.relu), 1, tf.nn.tanh)
    params = tf.trainable_variables()
    mark("actor")
    grads = tf.gradients(ys=a, xs=params, grad_ys=g)
    mark("gradients")
    tf.train.AdamOptimizer(-0.01).apply_gradients(zip(grads, params))  # noqa: B905
    mark("applied")
    tf.gradients([a, tf.reduce_sum(a)], params)
    mark("two")


def embedding(tf, mark):
    """Rows of an embedding, read twice, and the distance of rows."""
    i, y = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None])
    e = tf.Variable(tf.random_uniform([50, 8], -1.0, 1.0))
    w = tf.Variable(tf.truncated_normal([50, 8], stddev=0.1))
    b = tf.Variable(tf.zeros([50]))
    embed = tf.nn.embedding_lookup(e, i)
    mark("embed")
    out = tf.matmul(embed, w, transpose_b=True) + b
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=out)
    loss = tf.reduce_mean(each) + tf.nn.l2_loss(tf.nn.embedding_lookup(e, y))
    mark("loss")
    tf.train.GradientDescentOptimizer(1.0).minimize(loss)
    mark("trained")
    tf.train.AdamOptimizer().minimize(loss + tf.reduce_sum(e * e))
    mark("dense as well")
    norm = tf.sqrt(tf.reduce_sum(tf.square(e), 1, keepdims=True))
    tf.matmul(tf.nn.embedding_lookup(e / norm, [1, 2]), e / norm, transpose_b=True)
    mark("similar")


def static_lstm(tf, mark):
    """A recurrent net without a loop."""
    x, y = tf.placeholder(tf.float32, [None, 4, 3]), tf.placeholder(tf.float32, [None, 2])
    cell = tf.nn.rnn_cell.BasicLSTMCell(5)
    outputs, _ = tf.nn.static_rnn(cell, tf.unstack(x, 4, 1), dtype=tf.float32)
    w = tf.Variable(tf.random_normal([5, 2]))
    out = tf.matmul(outputs[-1], w)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=out, labels=y))
    mark("loss")
    tf.train.AdamOptimizer().minimize(loss)
    mark("trained")


def fed_batch_norm(tf, mark):
    """Batch normalization by a flag that is fed, of images and of rows."""
    t, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [None, 8, 8, 3])
    h = tf.layers.conv2d(x, 4, 3, padding="same")
    h = tf.nn.relu(tf.layers.batch_normalization(h, training=t))
    mark("images")
    h = tf.layers.batch_normalization(tf.layers.dense(tf.layers.flatten(h), 5), training=t)
    mark("rows")
    loss = tf.reduce_mean(tf.square(h))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        tf.train.AdamOptimizer(0.01).minimize(loss)
    mark("trained")
    tf.gradients(loss, tf.trainable_variables())
    mark("gradients")


def first_batch_norm(tf, mark):
    """Batch normalization of what is fed, by a flag."""
    t, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [2, 8, 8, 3])
    h = tf.layers.batch_normalization(x, training=t, scale=False)
    mark("images")
    tf.train.AdamOptimizer(0.01).minimize(tf.reduce_mean(h))
    mark("trained")


def proximal_policy(tf, mark):
    """Two policies, one copied to the other, a clipped surrogate."""
    s = tf.placeholder(tf.float32, [None, 3], "state")
    r = tf.placeholder(tf.float32, [None, 1], "discounted_r")
    with tf.variable_scope("critic"):
        v = tf.layers.dense(tf.layers.dense(s, 10, tf.nn.relu), 1)
        advantage = r - v
        tf.train.AdamOptimizer(0.0002).minimize(tf.reduce_mean(tf.square(advantage)))
    mark("critic")

    def policy(name, trainable):
        with tf.variable_scope(name):
            l1 = tf.layers.dense(s, 10, tf.nn.relu, trainable=trainable)
            mu = 2 * tf.layers.dense(l1, 1, tf.nn.tanh, trainable=trainable)
            sigma = tf.layers.dense(l1, 1, tf.nn.softplus, trainable=trainable)
            made = tf.distributions.Normal(loc=mu, scale=sigma)
        return made, tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope=name)

    pi, pi_params = policy("pi", True)
    mark("pi")
    old, old_params = policy("oldpi", False)
    mark("oldpi")
    with tf.variable_scope("sample_action"):
        tf.squeeze(pi.sample(1), axis=0)
    mark("sample")
    with tf.variable_scope("update_oldpi"):
        [b.assign(a) for a, b in zip(pi_params, old_params)]  # noqa: B905
    a, adv = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.float32, [None, 1])
    ratio = tf.exp(pi.log_prob(a) - old.log_prob(a))
    clipped = tf.clip_by_value(ratio, 1.0 - 0.2, 1.0 + 0.2) * adv
    loss = -tf.reduce_mean(tf.minimum(ratio * adv, clipped))
    kl = tf.reduce_mean(tf.distributions.kl_divergence(old, pi))
    mark("loss")
    tf.train.AdamOptimizer(0.0001).minimize(loss)
    mark("trained")
    tf.train.AdamOptimizer(0.0001).minimize(kl)
    mark("kl")


def asynchronous(tf, mark):
    """A global net and a worker's, gradients of one applied to the other."""
    optimizer = tf.train.RMSPropOptimizer(0.001)

    def net(scope):
        w = tf.random_normal_initializer(0.0, 0.1)
        s = tf.placeholder(tf.float32, [None, 3])
        with tf.variable_scope(scope + "/actor"):
            l_a = tf.layers.dense(s, 20, tf.nn.relu6, kernel_initializer=w)
            mu = tf.layers.dense(l_a, 1, tf.nn.tanh, kernel_initializer=w)
            sigma = tf.layers.dense(l_a, 1, tf.nn.softplus, kernel_initializer=w)
        with tf.variable_scope(scope + "/critic"):
            l_c = tf.layers.dense(s, 10, tf.nn.relu6, kernel_initializer=w)
            v = tf.layers.dense(l_c, 1, kernel_initializer=w)
        params = [tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope=scope + "/" + x)
                  for x in ("actor", "critic")]  # fmt: skip
        return s, mu, sigma, v, params

    with tf.variable_scope("global"):
        everywhere = net("Global_Net")[-1]
    mark("global")
    everywhere = [tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope="global/.*/" + x)
                  for x in ("actor", "critic")]  # fmt: skip
    for name in ("W_0", "W_1"):
        _, mu, sigma, v, params = net(name)
        a, target = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.float32, [None, 1])
        td = tf.subtract(target, v, name="TD_error")
        with tf.name_scope("c_loss"):
            c_loss = tf.reduce_mean(tf.square(td))
        with tf.name_scope("wrap_a_out"):
            mu, sigma = mu * 2.0, sigma + 1e-4
        normal = tf.contrib.distributions.Normal(mu, sigma)
        with tf.name_scope("a_loss"):
            value = normal.log_prob(a) * tf.stop_gradient(td)
            a_loss = tf.reduce_mean(-(0.01 * normal.entropy() + value))
        with tf.name_scope("choose_a"):
            drawn = tf.squeeze(normal.sample(1), axis=[0, 1])
            tf.clip_by_value(drawn, -2.0, 2.0)
        mark("loss")
        with tf.name_scope("local_grad"):
            a_grads, c_grads = tf.gradients(a_loss, params[0]), tf.gradients(c_loss, params[1])
        mark("gradients")
        for mine, theirs, grads in ((params[0], everywhere[0], a_grads),
                                    (params[1], everywhere[1], c_grads)):  # fmt: skip
            [x.assign(y) for x, y in zip(mine, theirs)]  # noqa: B905
            optimizer.apply_gradients(zip(grads, theirs))  # noqa: B905
        mark("applied")


def switched(tf, mark):
    """A choice of losses, nets in the branches."""
    t, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [None, 4])
    h = tf.layers.dense(x, 5, tf.nn.relu)
    w = tf.get_variable("w", [5, 3])
    out = tf.cond(t, lambda: tf.matmul(h, w), lambda: tf.matmul(tf.nn.tanh(h), w) + w[0])
    loss = tf.reduce_mean(tf.square(out)) + tf.nn.l2_loss(w)
    mark("loss")
    tf.train.AdamOptimizer().minimize(loss)
    mark("trained")


KINDS = ("whole", "double", "rows")


def dynamic_lstm(tf, mark):
    """A recurrent net as a loop, trained; then one with dropout."""
    x, y = tf.placeholder(tf.float32, [None, 6, 3]), tf.placeholder(tf.float32, [None, 2])
    cell = tf.nn.rnn_cell.BasicLSTMCell(5)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    out = tf.layers.dense(outputs[:, -1], 2)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=out, labels=y))
    mark("loss")
    tf.train.AdamOptimizer(0.01).minimize(loss)
    mark("adam")
    tf.layers.dense(tf.nn.dropout(outputs, 0.5), 3)
    mark("dropout")


def clipped_gru(tf, mark):
    """Words of several lengths through two cells, with clipped gradients."""
    words = tf.placeholder(tf.int32, [None, None])
    lengths, y = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [None])
    table = tf.get_variable("table", [20, 4])
    cells = [
        tf.nn.rnn_cell.DropoutWrapper(tf.nn.rnn_cell.GRUCell(5), output_keep_prob=0.8)
        for _ in range(2)
    ]
    _, state = tf.nn.dynamic_rnn(
        tf.nn.rnn_cell.MultiRNNCell(cells), tf.nn.embedding_lookup(table, words), lengths,
        dtype=tf.float32,
    )  # fmt: skip
    logits = tf.layers.dense(state[-1], 4)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    loss = tf.reduce_mean(each)
    mark("loss")
    variables = tf.trainable_variables()
    gradients, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 5.0)
    mark("gradients")
    tf.train.AdamOptimizer().apply_gradients(zip(gradients, variables))  # noqa: B905
    mark("applied")


def both_ways(tf, mark):
    """Two directions, and a loop of one's own over what they give."""
    x, lengths = tf.placeholder(tf.float32, [4, 5, 3]), tf.placeholder(tf.int32, [4])
    cell = tf.nn.rnn_cell.LSTMCell
    outputs, _ = tf.nn.bidirectional_dynamic_rnn(
        cell(3), cell(3), x, sequence_length=lengths, dtype=tf.float32
    )
    h = tf.concat(outputs, 2)
    w = tf.get_variable("w", [6, 6])
    mark("outputs")

    def body(i, a):
        return i + 1, tf.tanh(tf.matmul(a, w) + h[:, i])

    _, end = tf.while_loop(lambda i, a: i < 5, body, [0, tf.zeros([4, 6])])
    loss = tf.reduce_sum(tf.square(end))
    mark("loss")
    tf.train.RMSPropOptimizer(0.01).minimize(loss)
    mark("rmsprop")
    tf.train.GradientDescentOptimizer(0.1).minimize(loss + tf.nn.l2_loss(w))
    mark("again")


def decoder(tf, mark):
    """A sequence to sequence: what it was told to say, then what it says itself."""
    seq2seq = tf.contrib.seq2seq
    x, y = tf.placeholder(tf.float32, [None, 5, 3]), tf.placeholder(tf.int32, [None, 4])
    lengths = tf.placeholder(tf.int32, [None])
    _, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(6), x, dtype=tf.float32)
    table = tf.get_variable("table", [7, 4])
    cell, out = tf.nn.rnn_cell.GRUCell(6), tf.layers.Dense(7)
    helper = seq2seq.TrainingHelper(tf.nn.embedding_lookup(table, y), lengths)
    told = seq2seq.BasicDecoder(cell, helper, state, out)
    outputs, _, _ = seq2seq.dynamic_decode(told)
    mark("told")
    loss = seq2seq.sequence_loss(outputs.rnn_output, y, tf.ones([2, 4]))
    mark("loss")
    tf.train.AdamOptimizer().minimize(loss)
    mark("adam")


PROGRAMS = [
    dynamic_lstm, clipped_gru, both_ways, decoder,
    mlp, layers, cnn, batch_norm, vae, gan, actor_critic, dqn, ddpg, policy_gradient, embedding,
    static_lstm, fed_batch_norm, first_batch_norm, proximal_policy, asynchronous, switched,
]  # fmt: skip
