//! YAML as values with the place of each part.

mod build;
mod scalar;
mod syntax_error;

use saphyr_parser::{Event, Marker, Parser};

use self::build::Builder;
use super::{
    fault::{Budget, Fault},
    origin::Node,
    position::Place,
    split::Chunk,
};

/// Reads the documents of a chunk. A document with a fault is left out; after an error of syntax, so is what follows.
pub(super) fn read(chunk: Chunk<'_>, budget: &mut Budget) -> (Vec<Node>, Vec<Fault>) {
    let place = |marker: &Marker| {
        // The parser counts lines from 1 and columns from 0.
        Place::from_zero_based(marker.line().saturating_sub(1), marker.col()).below(chunk.lines_above)
    };
    let mut parser = Parser::new_from_str(chunk.text);
    let mut builder = Builder::new(budget);
    let mut documents = Vec::new();
    let mut faults = Vec::new();
    while let Some(next) = parser.next_event() {
        let result = match next {
            Ok((Event::DocumentEnd, _)) => {
                documents.extend(builder.finish_document(&mut faults));
                Ok(())
            }
            Ok((event, span)) => builder.event(event, place(&span.start)),
            Err(error) => Err(syntax_error::fault(&error, chunk, place(error.marker()), builder.innermost())),
        };
        if let Err(fault) = result {
            builder.finish_document(&mut faults);
            faults.push(fault);
            break;
        }
    }
    (documents, faults)
}
