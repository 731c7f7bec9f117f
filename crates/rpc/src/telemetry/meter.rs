//! The metrics of this process, as instruments of OpenTelemetry: the same names as Prometheus has them.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SetRecorderError,
    SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;
use metrics_util::registry::{Registry, Storage};
use opentelemetry::{
    KeyValue,
    metrics::{self as otel, Meter},
};

use crate::admin::{SECONDS, SIZES};

/// The recorder of this process, where metrics are sent; Prometheus's joins it when it begins to gather.
static RECORDER: OnceLock<Fan> = OnceLock::new();

/// Begins to send the metrics of this process.
pub(super) fn install(meter: Meter) -> Result<(), SetRecorderError<&'static Fan>> {
    let fan = RECORDER.get_or_init(|| Fan {
        otlp: Registry::new(Instruments { meter }),
        prometheus: OnceLock::new(),
    });
    metrics::set_global_recorder(fan)
}

/// Lets Prometheus's recorder take part where metrics are sent; gives it back where they are not, or where one does.
pub(crate) fn join(prometheus: PrometheusRecorder) -> Result<(), Box<PrometheusRecorder>> {
    match RECORDER.get() {
        Some(fan) => fan.prometheus.set(prometheus).map_err(Box::new),
        None => Err(Box::new(prometheus)),
    }
}

/// Records in instruments, and for Prometheus as well where it gathers.
pub(super) struct Fan {
    otlp: Registry<Key, Instruments>,
    prometheus: OnceLock<PrometheusRecorder>,
}

impl std::fmt::Debug for Fan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fan").finish_non_exhaustive()
    }
}

impl Recorder for Fan {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        if let Some(prometheus) = self.prometheus.get() {
            prometheus.describe_counter(name, unit, description);
        }
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        if let Some(prometheus) = self.prometheus.get() {
            prometheus.describe_gauge(name, unit, description);
        }
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        if let Some(prometheus) = self.prometheus.get() {
            prometheus.describe_histogram(name, unit, description);
        }
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let sent = self
            .otlp
            .get_or_create_counter(key, |counter| Counter::from_arc(Arc::clone(counter)));
        match self.prometheus.get() {
            Some(prometheus) => Counter::from_arc(Arc::new(Both(sent, prometheus.register_counter(key, metadata)))),
            None => sent,
        }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let sent = self
            .otlp
            .get_or_create_gauge(key, |gauge| Gauge::from_arc(Arc::clone(gauge)));
        match self.prometheus.get() {
            Some(prometheus) => Gauge::from_arc(Arc::new(Both(sent, prometheus.register_gauge(key, metadata)))),
            None => sent,
        }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let sent = self
            .otlp
            .get_or_create_histogram(key, |histogram| Histogram::from_arc(Arc::clone(histogram)));
        match self.prometheus.get() {
            Some(prometheus) => Histogram::from_arc(Arc::new(Both(sent, prometheus.register_histogram(key, metadata)))),
            None => sent,
        }
    }
}

/// What is recorded twice.
struct Both<H>(H, H);

impl CounterFn for Both<Counter> {
    fn increment(&self, value: u64) {
        self.0.increment(value);
        self.1.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.0.absolute(value);
        self.1.absolute(value);
    }
}

impl GaugeFn for Both<Gauge> {
    fn increment(&self, value: f64) {
        self.0.increment(value);
        self.1.increment(value);
    }

    fn decrement(&self, value: f64) {
        self.0.decrement(value);
        self.1.decrement(value);
    }

    fn set(&self, value: f64) {
        self.0.set(value);
        self.1.set(value);
    }
}

impl HistogramFn for Both<Histogram> {
    fn record(&self, value: f64) {
        self.0.record(value);
        self.1.record(value);
    }
}

/// Makes an instrument of a key when it is first used.
struct Instruments {
    meter: Meter,
}

impl Storage<Key> for Instruments {
    type Counter = Arc<SentCounter>;
    type Gauge = Arc<SentGauge>;
    type Histogram = Arc<SentHistogram>;

    fn counter(&self, key: &Key) -> Arc<SentCounter> {
        Arc::new(SentCounter {
            counter: self.meter.u64_counter(key.name().to_owned()).build(),
            labels: labels(key),
            told: AtomicU64::new(0),
        })
    }

    fn gauge(&self, key: &Key) -> Arc<SentGauge> {
        Arc::new(SentGauge {
            gauge: self.meter.f64_gauge(key.name().to_owned()).build(),
            labels: labels(key),
            bits: AtomicU64::new(0.0_f64.to_bits()),
        })
    }

    fn histogram(&self, key: &Key) -> Arc<SentHistogram> {
        let histogram = self.meter.f64_histogram(key.name().to_owned());
        let histogram = if key.name().ends_with("_seconds") {
            histogram.with_unit("s").with_boundaries(SECONDS.to_vec())
        } else {
            histogram.with_boundaries(SIZES.to_vec())
        };
        Arc::new(SentHistogram {
            histogram: histogram.build(),
            labels: labels(key),
        })
    }
}

fn labels(key: &Key) -> Vec<KeyValue> {
    key.labels()
        .map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned()))
        .collect()
}

struct SentCounter {
    counter: otel::Counter<u64>,
    labels: Vec<KeyValue>,
    /// What `absolute` has told so far.
    told: AtomicU64,
}

impl CounterFn for SentCounter {
    fn increment(&self, value: u64) {
        self.told.fetch_add(value, Ordering::Relaxed);
        self.counter.add(value, &self.labels);
    }

    fn absolute(&self, value: u64) {
        let before = self.told.fetch_max(value, Ordering::Relaxed);
        self.counter.add(value.saturating_sub(before), &self.labels);
    }
}

struct SentGauge {
    gauge: otel::Gauge<f64>,
    labels: Vec<KeyValue>,
    /// The value, as bits: instruments of OpenTelemetry can only be set.
    bits: AtomicU64,
}

impl SentGauge {
    fn add(&self, value: f64) {
        let added = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value, so this is never refused.
        if let Ok(before) = self.bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added) {
            self.gauge.record(f64::from_bits(before) + value, &self.labels);
        }
    }
}

impl GaugeFn for SentGauge {
    fn increment(&self, value: f64) {
        self.add(value);
    }

    fn decrement(&self, value: f64) {
        self.add(-value);
    }

    fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
        self.gauge.record(value, &self.labels);
    }
}

struct SentHistogram {
    histogram: otel::Histogram<f64>,
    labels: Vec<KeyValue>,
}

impl HistogramFn for SentHistogram {
    fn record(&self, value: f64) {
        self.histogram.record(value, &self.labels);
    }
}
