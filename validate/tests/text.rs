//! Findings as people and programs see them.

mod common;
#[path = "common/schema.rs"]
mod schema;

use common::world;
use cuwhy_validate::finding::{Glyphs, Outcome, SCHEMA, Style};
use cuwhy_validate::{Api, Call, Finding, Kind, Site, check};
use serde_json::Value;

fn past_end() -> Finding {
    let (world, operands) = world();
    let mut call = Call::memcpy(
        operands["device_40B"],
        operands["pageable_heap"],
        400,
        Kind::HostToDevice,
    );
    call.site = Site::text("seed2.cu:5 main");
    check(&call, &world, None).findings.remove(0)
}

#[test]
fn a_finding_has_the_promised_form() {
    let mut finding = past_end();
    finding.answered = Some(Outcome::status(Api::Runtime, 1));
    finding.operands[0].segments[0].history = Some("allocated at seed2.cu:4 main".into());
    assert_eq!(
        finding.text(&Style::default()),
        "\
error[range.past-end]: the copy runs 360 bytes past the end of its destination
  cudaMemcpy(dst = 0x7f00a0000000, src = 0x7f0010000000, count = 400, cudaMemcpyHostToDevice)  ->  1 cudaErrorInvalidValue
   dst  [0, 40)     cudaMalloc 40 B, device 0 NVIDIA H200                       allocated at seed2.cu:4 main
        [40, 400)   nothing                                                     <- first bad byte
   src  [0, 400)    pageable host memory
   why  CUDA looks up the allocation that holds the first byte; the whole range must lie in it
   fix  count is in bytes: copy at most 40, or allocate 400
   at   seed2.cu:5 main                                                         seen 1 time
"
    );
}

#[test]
fn the_text_fits_the_terminal() {
    let mut finding = past_end();
    finding.at = Some("größe.cu:5 \u{1b}[31m".into());
    for width in [60, 80, 100, 140, 200] {
        let style = Style {
            width,
            ..Style::default()
        };
        let text = finding.text(&style);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{width}: {longest:?}\n{text}");
    }
    let ascii = finding.text(&Style {
        glyphs: Glyphs::Ascii,
        ..Style::default()
    });
    assert!(ascii.is_ascii() && !ascii.contains('\u{1b}'), "{ascii}");
    let coloured = finding.text(&Style {
        colour: true,
        ..Style::default()
    });
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31merror[range.past-end]"));
}

#[test]
fn every_finding_of_the_table_conforms_to_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let (world, operands) = world();
    let mut seen = 0;
    for line in common::COPIES.lines().skip(1).step_by(7) {
        let columns: Vec<&str> = line.split('\t').collect();
        let kind = match columns[0] {
            "H2D" => Kind::HostToDevice,
            "D2H" => Kind::DeviceToHost,
            "D2D" => Kind::DeviceToDevice,
            _ => Kind::Default,
        };
        let (dst, src) = (operands[columns[1]], operands[columns[2]]);
        let bytes = columns[3].parse().expect("a count");
        for finding in check(&Call::memcpy(dst, src, bytes, kind), &world, None).findings {
            let json = finding.json();
            assert!(!json.contains('\n'));
            let value: Value = serde_json::from_str(&json).expect("a line is JSON");
            schema::conforms(&schema, &schema, &value)
                .unwrap_or_else(|error| panic!("{error}\n{json}"));
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
