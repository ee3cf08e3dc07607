//! The settings of traces. Their names and values are those of OpenTelemetry:
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use std::fmt;

use clap::Args;
use domain::settings::InvalidSetting;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::Sampler;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// The settings of traces. The empty text is the default of each: Docker Compose passes it for a
/// variable that is not set.
#[derive(Clone, Default, Args)]
pub struct TraceSettings {
    /// Collector of traces, such as http://127.0.0.1:4318; /v1/traces is appended [default: none]
    #[arg(
        long = "otel-exporter-otlp-endpoint",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub otlp_endpoint: String,

    /// Headers for the collector: `name=value`, separated by commas, percent-encoded
    #[arg(
        long = "otel-exporter-otlp-headers",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_name = "HEADERS",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub otlp_headers: String,

    /// How traces are sent; only http/protobuf is supported
    #[arg(
        long = "otel-exporter-otlp-protocol", env = "OTEL_EXPORTER_OTLP_PROTOCOL", value_name = "PROTOCOL",
        default_value = "http/protobuf", value_parser = ["", "http/protobuf"],
        hide_possible_values = true
    )]
    pub otlp_protocol: String,

    /// Name of this service in traces [default: the name of the program]
    #[arg(
        long = "otel-service-name",
        env = "OTEL_SERVICE_NAME",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub otel_service_name: String,

    /// Further attributes of this service in traces: `name=value`, separated by commas
    #[arg(
        long = "otel-resource-attributes",
        env = "OTEL_RESOURCE_ATTRIBUTES",
        value_name = "ATTRIBUTES",
        default_value = "",
        hide_default_value = true
    )]
    pub otel_resource_attributes: String,

    /// Which traces are recorded: always_on, always_off, traceidratio, or one of these after
    /// `parentbased_`, for traces that begin here
    #[arg(
        long = "otel-traces-sampler",
        env = "OTEL_TRACES_SAMPLER",
        value_name = "SAMPLER",
        default_value = "parentbased_always_on"
    )]
    pub otel_traces_sampler: String,

    /// Share of the traces that traceidratio records, from 0 to 1
    #[arg(
        long = "otel-traces-sampler-arg",
        env = "OTEL_TRACES_SAMPLER_ARG",
        value_name = "SHARE",
        default_value = "1"
    )]
    pub otel_traces_sampler_arg: String,
}

impl fmt::Debug for TraceSettings {
    /// Leaves out the URL and the headers, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceSettings").finish_non_exhaustive()
    }
}

impl TraceSettings {
    /// Returns where to send traces; `None` if they are off.
    pub(super) fn url(&self) -> Result<Option<Url>, InvalidSetting> {
        let text = self.otlp_endpoint.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || InvalidSetting::new(ENDPOINT, "it must be a URL like http://127.0.0.1:4318");
        let mut url: Url = text.parse().map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(["v1", "traces"]);
        Ok(Some(url))
    }

    pub(super) fn headers(&self) -> Result<HeaderMap, InvalidSetting> {
        // The message does not repeat the text, which may hold a token.
        let wrong = || InvalidSetting::new(HEADERS, "it must be like name=value,name=value");
        let mut headers = HeaderMap::new();
        for pair in pairs(&self.otlp_headers) {
            let (name, value) = pair.ok_or_else(wrong)?;
            let name = HeaderName::try_from(name).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    pub(super) fn resource(&self, service: &'static str) -> Result<Resource, InvalidSetting> {
        let wrong = || InvalidSetting::new(RESOURCE_ATTRIBUTES, "it must be like name=value");
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut resource = Resource::builder_empty()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        for pair in pairs(&self.otel_resource_attributes) {
            let (name, value) = pair.ok_or_else(wrong)?;
            resource = resource.with_attribute(KeyValue::new(name, value));
        }
        if let Some(name) = set(&self.otel_service_name) {
            resource = resource.with_service_name(name);
        }
        Ok(resource.build())
    }

    pub(super) fn sampler(&self) -> Result<Sampler, InvalidSetting> {
        let share = match self.otel_traces_sampler_arg.as_str() {
            "" => Some(1.0),
            text => text.parse().ok().filter(|share| (0.0..=1.0).contains(share)),
        };
        let share =
            share.ok_or_else(|| InvalidSetting::new(SAMPLER_ARG, "it must be from 0 to 1"))?;
        let name = match self.otel_traces_sampler.as_str() {
            "" => "parentbased_always_on",
            name => name,
        };
        let root = match name.strip_prefix("parentbased_").unwrap_or(name) {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(share),
            _ => {
                return Err(InvalidSetting::new(
                    SAMPLER,
                    format_args!("{name:?} is not a sampler"),
                ));
            }
        };
        let parent_based = name.starts_with("parentbased_");
        Ok(if parent_based { Sampler::ParentBased(Box::new(root)) } else { root })
    }
}

/// Splits `name=value,name=value`. `None` for a part that is not a pair.
fn pairs(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), percent_decoded(value.trim())?))
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(endpoint: &str) -> Result<Option<String>, String> {
        let settings =
            TraceSettings { otlp_endpoint: endpoint.to_owned(), ..TraceSettings::default() };
        let url = settings.url().map_err(|error| error.to_string())?;
        Ok(url.map(String::from))
    }

    #[test]
    fn the_path_of_traces_is_appended_to_the_endpoint() {
        assert_eq!(url(""), Ok(None));
        for (endpoint, full) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://a.b/otlp/", "https://a.b/otlp/v1/traces"),
        ] {
            assert_eq!(url(endpoint), Ok(Some(full.to_owned())));
        }
        for wrong in ["127.0.0.1:4318", "ftp://a.b", "collector", "data:x"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_decoded_and_errors_do_not_repeat_them() {
        let headers = |text: &str| {
            let settings =
                TraceSettings { otlp_headers: text.to_owned(), ..TraceSettings::default() };
            settings.headers().map_err(|error| error.to_string())
        };
        let read = headers("authorization=Bearer%20s3cret, x-tenant = a=b ,").unwrap();
        assert_eq!(read["authorization"], "Bearer s3cret");
        assert_eq!(read["x-tenant"], "a=b");
        for wrong in ["s3cret", "a b=s3cret", "a=s3cret%2", "a=s3cret%0a"] {
            let error = headers(wrong).unwrap_err();
            assert!(error.contains(HEADERS) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_samplers_of_opentelemetry_are_known() {
        let sampler = |name: &str, arg: &str| {
            let settings = TraceSettings {
                otel_traces_sampler: name.to_owned(),
                otel_traces_sampler_arg: arg.to_owned(),
                ..TraceSettings::default()
            };
            settings.sampler().map(|sampler| format!("{sampler:?}")).map_err(|_| ())
        };
        assert_eq!(sampler("", ""), Ok("ParentBased(AlwaysOn)".to_owned()));
        assert_eq!(sampler("traceidratio", "0.25"), Ok("TraceIdRatioBased(0.25)".to_owned()));
        assert_eq!(
            sampler("parentbased_traceidratio", "0.5"),
            Ok("ParentBased(TraceIdRatioBased(0.5))".to_owned())
        );
        for (name, arg) in [("sometimes", ""), ("traceidratio", "2"), ("traceidratio", "x")] {
            assert_eq!(sampler(name, arg), Err(()), "{name} {arg}");
        }
    }
}
