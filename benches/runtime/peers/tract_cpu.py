"""tract by its Python package, which has no way to ask for more than one thread: fp32, and int8 from the QDQ model of ONNX
Runtime's quantizer.
"""

from peers import Skip, onnx_runtime

PACKAGES = ["tract"]
PRECISIONS = ["fp32", "int8"]
THREADS = [1]


def prepare(precision, network):
    """Models of the batches that are measured, whose shapes tract wants to know; the name has a place for the batch."""
    import onnx

    source = onnx_runtime.prepare(precision, network)
    name = str(network.file(f"tract-{precision}-BATCH.onnx"))
    for batch in network.batches:
        model = onnx.load(source)
        for value in [*model.graph.input, *model.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = batch
        del model.graph.value_info[:]
        onnx.save(model, name.replace("BATCH", str(batch)))
    return name


def load(model, shape, threads):
    import tract

    if threads != 1:
        raise Skip("one thread alone")
    runnable = tract.onnx().load(model.replace("BATCH", str(shape[0]))).into_model().into_runnable()
    return lambda images: runnable.run([images])[0].to_numpy(), ""
