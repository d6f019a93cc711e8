//! The options of `portway explain`.

use std::net::SocketAddr;

use clap::{Args, Parser};

use super::{Manifests, Output};

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) manifests: Manifests,

    #[command(flatten)]
    pub(crate) options: RequestOptions,

    /// The request: a method (by default GET) and a URL, or tcp://HOST:PORT or udp://HOST:PORT. Options may follow here too
    #[arg(last = true, required = true, num_args = 1.., allow_hyphen_values = true,
        value_names = ["METHOD", "URL"])]
    pub(crate) request: Vec<String>,
}

/// What may stand before and after `--`.
#[derive(Debug, Default, Args)]
pub(crate) struct RequestOptions {
    /// A header of the request; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// The server name of the TLS handshake, where it is not the URL's host
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,

    /// The admin address of the Portway or the node agent that serves the manifests: it is asked who takes what comes to the
    /// listener, the kernel or a proxy, and why
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) admin: Option<SocketAddr>,

    /// Form of the answer (by default text)
    #[arg(long, short, value_name = "FORM")]
    pub(crate) output: Option<Output>,
}

/// What follows `--`.
#[derive(Debug, Parser)]
#[command(name = "portway explain PATH... --", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    options: RequestOptions,

    #[arg(required = true, num_args = 1..=2, value_names = ["METHOD", "URL"])]
    words: Vec<String>,
}

/// A request as it was asked for.
#[derive(Debug)]
pub(crate) struct AskedRequest {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<String>,
    pub(crate) sni: Option<String>,
    /// Who is asked for what it does.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) output: Output,
}

impl ExplainArgs {
    /// The request, with the options of both sides of `--`.
    ///
    /// # Errors
    ///
    /// What follows `--` is not a request.
    pub(crate) fn asked(&self) -> Result<AskedRequest, clap::Error> {
        let RequestArgs { options: after, words } = RequestArgs::try_parse_from(&self.request)?;
        let before = &self.options;
        let (method, url) = match words.as_slice() {
            [method, url] => (method.to_ascii_uppercase(), url.clone()),
            // clap lets one or two through.
            words => ("GET".to_owned(), words.first().cloned().unwrap_or_default()),
        };
        Ok(AskedRequest {
            method,
            url,
            headers: before.headers.iter().chain(&after.headers).cloned().collect(),
            sni: after.sni.or_else(|| before.sni.clone()),
            admin: after.admin.or(before.admin),
            output: after.output.or(before.output).unwrap_or(Output::Text),
        })
    }
}

const EXPLAIN_HELP: &str = "\
Exit status:
  0  a rule serves the request
  1  nobody serves it
  2  the manifests or the request cannot be read, or nobody answers at --admin

Examples:
  portway explain examples/my-app -- GET http://myapp.example.com/cart?item=7
  portway explain manifests/ -- POST https://api.example.com/v1/orders -H 'x-canary: always'
  portway explain manifests/ --admin 127.0.0.1:19902 -- udp://192.0.2.10:53
  portway explain manifests/ --output json -- https://api.example.com/ --sni other.example.com";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asked(line: &str) -> Result<AskedRequest, clap::Error> {
        let words = line.split(' ').map(|word| word.replace('_', " "));
        let Command::Explain(args) = Cli::try_parse_from(words)?.command else { panic!("{line}") };
        args.asked()
    }

    #[test]
    fn options_stand_on_either_side_of_the_dashes() {
        let asked =
            asked("portway explain dir -H a:_1 -- post http://a/b?c -H b:_2 --sni x -o json").unwrap();
        assert_eq!((asked.method.as_str(), asked.url.as_str()), ("POST", "http://a/b?c"));
        assert_eq!(asked.headers, ["a: 1", "b: 2"]);
        assert_eq!((asked.sni.as_deref(), asked.output), (Some("x"), Output::Json));
    }

    #[test]
    fn the_method_is_get_unless_given() {
        let asked = asked("portway explain dir -- http://a/").unwrap();
        assert_eq!((asked.method.as_str(), asked.url.as_str()), ("GET", "http://a/"));
        assert_eq!(asked.output, Output::Text);
    }

    #[test]
    fn a_request_is_needed() {
        for wrong in
            ["portway explain dir", "portway explain -- GET http://a/", "portway explain dir -- A B C"]
        {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
