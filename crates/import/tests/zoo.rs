//! The zoo: its figures are those of the paper's Table 1, and of the networks' own papers.

use synapress_import::caffe::{Options, Phase};
use synapress_import::{fill, zoo};
use synapress_model::census::census;
use synapress_model::{Net, Shape};

struct Case {
    name: &'static str,
    parameters: u64,
    connections: u64,
    convolutions: usize,
    fully_connected: usize,
    inception_modules: usize,
}

#[test]
fn networks_have_their_published_sizes() {
    let case = |name, parameters, connections, [convolutions, fully_connected, inception_modules]: [usize; 3]| Case {
        name,
        parameters,
        connections,
        convolutions,
        fully_connected,
        inception_modules,
    };
    let cases = [
        case("alexnet", 60_965_224, 724_406_816, [5, 3, 0]),
        case("vgg16", 138_357_544, 15_470_264_320, [13, 3, 0]),
        case("vgg19", 143_667_240, 19_632_062_464, [16, 3, 0]),
        case("googlenet", 6_998_552, 1_582_671_872, [57, 1, 9]),
        case("googlenet_train_val", 13_378_280, 1_591_044_096, [59, 5, 9]),
        case("squeezenet_v1.1", 1_235_496, 387_747_520, [26, 0, 0]),
        case("nin", 7_595_176, 1_100_188_800, [12, 0, 0]),
        case("resnet50", 25_610_152, 3_857_973_248, [53, 1, 0]),
        case("mobilenet", 4_253_864, 568_740_352, [28, 0, 0]),
        case("vgg16_cifar10", 15_257_802, 313_725_952, [13, 3, 0]),
        case("vgg16_cifar10_half", 4_085_866, 79_139_840, [13, 3, 0]),
        case("googlenet_cifar10", 382_266, 30_052_864, [56, 1, 9]),
    ];
    for case in cases {
        let net = zoo::net(case.name).unwrap_or_else(|e| panic!("{e}"));
        let c = census(&net);
        let (found, expected) = ([c.parameters, c.connections], [case.parameters, case.connections]);
        assert_eq!(found, expected, "{}: parameters and connections", case.name);
        let found = [c.convolutions, c.fully_connected, c.inception_modules];
        assert_eq!(found, [case.convolutions, case.fully_connected, case.inception_modules], "{}", case.name);
        let classes = if case.name.contains("cifar10") { 10 } else { 1000 };
        assert_eq!(net.graph.shape(net.graph.output()), Shape::new(classes, 1, 1).unwrap(), "{}", case.name);
    }
}

#[test]
fn alexnet_has_the_papers_connections_when_one_of_its_groups_is_not_counted() {
    let c = census(&zoo::net("alexnet").unwrap());
    let fourth = c.rows.iter().find(|r| r.name == "conv4").unwrap();
    let million = |n: u64| (n + 500_000) / 1_000_000;
    assert_eq!(million(c.connections - fourth.connections + fourth.ungrouped), 837);
    assert_eq!((million(c.connections), million(c.ungrouped)), (724, 1135));
}

#[test]
fn googlenet_for_training_has_its_losses_and_phases() {
    let options = Options { phase: Phase::Train, ..Options::default() };
    let train = zoo::net_with("googlenet_train_val", &options).unwrap();
    let weights = |net: &Net| -> Vec<Option<f32>> {
        net.graph.heads().into_iter().map(|id| net.graph.node(id).layer.loss_weight()).collect()
    };
    assert_eq!(weights(&train), [Some(0.3), Some(0.3), Some(1.0)]);
    let test = zoo::net("googlenet_train_val").unwrap();
    assert_eq!(weights(&test), weights(&train));
    for net in [&train, &test] {
        assert_eq!(net.graph.shape(net.graph.input().unwrap()), Shape::new(3, 224, 224).unwrap());
        assert_eq!(net.about.preprocess.as_ref().unwrap().mean, [104.0, 117.0, 123.0]);
    }
    let deploy = zoo::net("googlenet").unwrap();
    let same = |n: &synapress_model::Node| train.graph.find(&n.name).is_some();
    assert!(deploy.graph.nodes().iter().filter(|n| n.name != "prob").all(same));
}

#[test]
fn every_network_can_be_filled() {
    for name in ["squeezenet_v1.1", "mobilenet"] {
        let mut net = zoo::net(name).unwrap();
        fill(&mut net, 1).unwrap();
        net.verify().unwrap();
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = zoo::net("vgg").unwrap_err().to_string();
    assert!(error.starts_with("zoo:vgg: ") && error.contains("vgg16, vgg19"), "{error}");
}
