//! A file line by line, so that whoever reads records of several lines knows in which line each begins.

use std::io::{BufRead as _, BufReader, Read};

/// Gives at most one line a read: a reader that stops behind a record has been given the lines of that record and no more.
///
/// A line ends with a line feed, with a carriage return, or with both, as editors count, whatever ended those before it.
#[derive(Debug)]
pub(super) struct ByLine<R> {
    input: BufReader<R>,
    /// The line of the last byte that was given, from 1; 0 before the first byte.
    line: u64,
    /// The last byte that was given; before the first byte as behind a line.
    last: u8,
    /// The first line that is not empty since a record was begun.
    first: Option<u64>,
}

impl<R: Read> ByLine<R> {
    /// The lines of `input`.
    pub(super) fn new(input: R) -> Self {
        Self { input: BufReader::new(input), line: 0, last: b'\n', first: None }
    }

    /// From here on another record is read.
    pub(super) fn begin(&mut self) {
        self.first = None;
    }

    /// The line in which the record begins; empty ones before it are none of it.
    pub(super) fn first(&self) -> u64 {
        self.first.unwrap_or(self.line)
    }
}

impl<R: Read> Read for ByLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let input = self.input.fill_buf()?;
        let input = &input[..input.len().min(buffer.len())];
        let Some(next) = input.first().copied() else { return Ok(0) };
        if self.last == b'\n' || (self.last == b'\r' && next != b'\n') {
            self.line += 1;
            if !is_end(next) {
                self.first = self.first.or(Some(self.line));
            }
        }
        let bytes = input.iter().position(|byte| is_end(*byte)).map_or(input.len(), |at| at + 1);
        buffer[..bytes].copy_from_slice(&input[..bytes]);
        self.last = input[bytes - 1];
        self.input.consume(bytes);
        Ok(bytes)
    }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
