//! Well-known networks, written into the project: architecture alone, without weights.

use synapress_model::Net;

use crate::caffe::{self, Options};
use crate::error::{Error, Fault};

/// A network of the zoo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is and who described it.
    pub about: &'static str,
    /// Its prototxt.
    pub prototxt: &'static str,
}

/// Every network of the zoo.
pub const ZOO: &[Entry] = &[
    Entry {
        name: "alexnet",
        about: "AlexNet (Krizhevsky et al. 2012), convolutions in two groups",
        prototxt: include_str!("../zoo/alexnet.prototxt"),
    },
    Entry {
        name: "vgg16",
        about: "VGG with 16 layers (Simonyan and Zisserman 2014, D)",
        prototxt: include_str!("../zoo/vgg16.prototxt"),
    },
    Entry {
        name: "vgg19",
        about: "VGG with 19 layers (Simonyan and Zisserman 2014, E)",
        prototxt: include_str!("../zoo/vgg19.prototxt"),
    },
    Entry {
        name: "googlenet",
        about: "GoogLeNet (Szegedy et al. 2014) without the auxiliary classifiers",
        prototxt: include_str!("../zoo/googlenet.prototxt"),
    },
    Entry {
        name: "googlenet_train_val",
        about: "GoogLeNet with both auxiliary classifiers, for training",
        prototxt: include_str!("../zoo/googlenet_train_val.prototxt"),
    },
    Entry {
        name: "squeezenet_v1.1",
        about: "SqueezeNet v1.1 (Iandola et al. 2016)",
        prototxt: include_str!("../zoo/squeezenet_v1.1.prototxt"),
    },
    Entry {
        name: "nin",
        about: "Network in Network for ImageNet (Lin et al. 2013)",
        prototxt: include_str!("../zoo/nin.prototxt"),
    },
    Entry {
        name: "resnet50",
        about: "ResNet with 50 layers (He et al. 2015)",
        prototxt: include_str!("../zoo/resnet50.prototxt"),
    },
    Entry {
        name: "mobilenet",
        about: "MobileNet v1 (Howard et al. 2017)",
        prototxt: include_str!("../zoo/mobilenet.prototxt"),
    },
    Entry {
        name: "vgg16_cifar10",
        about: "VGG with 16 layers for images of 32x32 pixels and 10 classes, with batch normalization",
        prototxt: include_str!("../zoo/vgg16_cifar10.prototxt"),
    },
    Entry {
        name: "vgg16_cifar10_half",
        about: "the same with convolutions half as wide, and without dropout",
        prototxt: include_str!("../zoo/vgg16_cifar10_half.prototxt"),
    },
    Entry {
        name: "googlenet_cifar10",
        about: "GoogLeNet's inception modules a quarter as wide, for images of 32x32 pixels, with batch normalization",
        prototxt: include_str!("../zoo/googlenet_cifar10.prototxt"),
    },
];

/// The network of this name, without weights.
///
/// # Errors
/// When there is none of this name; the message lists all.
pub fn net(name: &str) -> Result<Net, Error> {
    net_with(name, &Options::default())
}

/// [`net`] for another phase or input.
///
/// # Errors
/// As [`net`], and when the options do not suit the network.
pub fn net_with(name: &str, options: &Options) -> Result<Net, Error> {
    let file = format!("zoo:{name}");
    match ZOO.iter().find(|entry| entry.name == name) {
        Some(entry) => caffe::parse(entry.prototxt, &file, options),
        None => {
            let names: Vec<&str> = ZOO.iter().map(|entry| entry.name).collect();
            let message = format!("there is no such network in the zoo; there are {}", names.join(", "));
            Err(Error { file, fault: Fault::Io(std::io::Error::new(std::io::ErrorKind::NotFound, message)) })
        }
    }
}
