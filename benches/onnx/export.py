"""Networks of torchvision with random weights, exported by PyTorch: `export.py FOLDER [NAME...]`.

Each is written by the TorchScript exporter (NAME.script.onnx, operator set 13), by that exporter with batch normalization
left as it is (NAME.train.onnx, operator set 9), and by the one of torch.export (NAME.dynamo.onnx, its own choice of
operator set, weights in a file beside it).
"""

import sys
import warnings
from pathlib import Path

import torch
import torchvision

NETWORKS = {
    "alexnet": lambda: torchvision.models.alexnet(weights=None),
    "vgg16": lambda: torchvision.models.vgg16(weights=None),
    "googlenet": lambda: torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False),
    "googlenet_pretrained_form": lambda: torchvision.models.googlenet(
        weights=None, aux_logits=False, init_weights=False, transform_input=True
    ),
    "squeezenet1_1": lambda: torchvision.models.squeezenet1_1(weights=None),
    "resnet50": lambda: torchvision.models.resnet50(weights=None),
    "mobilenet_v2": lambda: torchvision.models.mobilenet_v2(weights=None),
}


def network(name):
    """A network whose outputs neither vanish nor overflow, with statistics of its own in every normalization."""
    torch.manual_seed(sum(name.encode()))
    net = NETWORKS[name]()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return net.eval()


def export(name, folder):
    net, image = network(name), torch.zeros(1, 3, 224, 224)
    names = {"input_names": ["data"], "output_names": ["scores"]}
    free = {"data": {0: "batch"}, "scores": {0: "batch"}}
    script = {"dynamo": False, "dynamic_axes": free, **names}
    torch.onnx.export(net, image, folder / f"{name}.script.onnx", opset_version=13, **script)
    kept = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(net, image, folder / f"{name}.train.onnx", opset_version=9, **kept, **script)
    torch.onnx.export(net, (image,), folder / f"{name}.dynamo.onnx", dynamo=True, **names)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NETWORKS:
        export(name, folder)
        print(name, flush=True)
