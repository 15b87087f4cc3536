//! As much of HTTP/1.1 as a client on loopback needs: one request per connection, with a body of known
//! length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

const HEAD_LIMIT: u64 = 64 * 1024;
const BODY_LIMIT: u64 = 64 * 1024 * 1024;

/// A request as received.
pub struct Received {
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// The reason that a request was not read.
pub enum Error {
    Io(io::Error),
    /// Must be answered with this status.
    Refused(u16, &'static str),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a request; the body of anything but a POST is null.
pub fn read(stream: &TcpStream) -> Result<Received, Error> {
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(HEAD_LIMIT);
    let first = read_line(&mut head)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(Error::Refused(400, "this is not HTTP"));
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut head)?;
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::Refused(400, "this is not a header"));
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    if header("expect").is_some() {
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = if method == "POST" {
        if header("content-encoding").is_some() {
            return Err(Error::Refused(415, "compressed bodies are not understood"));
        }
        let length: u64 = header("content-length")
            .and_then(|length| length.parse().ok())
            .ok_or(Error::Refused(411, "the length of the body must be known"))?;
        if length > BODY_LIMIT {
            return Err(Error::Refused(413, "the body is too large"));
        }
        let mut body = Vec::new();
        reader.take(length).read_to_end(&mut body)?;
        serde_json::from_slice(&body).map_err(|_| Error::Refused(400, "the body is not JSON"))?
    } else {
        Value::Null
    };
    Ok(Received {
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or(target).to_owned(),
        headers,
        body,
    })
}

fn read_line(reader: &mut impl BufRead) -> Result<String, Error> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// Writes a whole response.
pub fn write_json(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(String, String)],
    body: &Value,
) -> io::Result<()> {
    let body = body.to_string();
    let head = head(status, "application/json", headers);
    let length = body.len();
    stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes())
}

/// Writes the beginning of a stream of events, which ends with the connection.
pub fn write_stream_head(mut stream: &TcpStream, headers: &[(String, String)]) -> io::Result<()> {
    let head = head(200, "text/event-stream", headers) + "\r\n";
    stream.write_all(head.as_bytes())
}

/// Writes an event named after its type.
pub fn event(mut stream: &TcpStream, event: &Value) -> io::Result<()> {
    let kind = event["type"].as_str().unwrap_or("message");
    stream.write_all(format!("event: {kind}\ndata: {event}\n\n").as_bytes())
}

/// Writes a comment, which fails when the client has left.
pub fn comment(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(b": still here\n\n")
}

fn head(status: u16, content_type: &str, headers: &[(String, String)]) -> String {
    let own = [
        ("content-type".to_owned(), content_type.to_owned()),
        ("connection".to_owned(), "close".to_owned()),
    ];
    own.iter()
        .chain(headers)
        .fold(format!("HTTP/1.1 {status} Scripted\r\n"), |head, (name, value)| {
            format!("{head}{name}: {value}\r\n")
        })
}
