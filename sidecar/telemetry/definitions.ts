/** Every metric of a sidecar, once. `docs/metrics.md` lists the same table, and a test compares the two. */

/** What `# TYPE` and `# HELP` say, and the label names that may occur. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const TCP_LABELS = [
  'reporter',
  'source_service',
  'source_namespace',
  'source_principal',
  'destination_service',
  'destination_namespace',
  'destination_principal',
  'route',
  'request_protocol',
  'connection_security_policy',
] as const;

const REQUEST_LABELS = [...TCP_LABELS, 'method', 'response_code', 'grpc_response_status', 'response_flags'] as const;

const counter = (help: string, labels: readonly string[] = []): Definition => ({ type: 'counter', help, labels });
const gauge = (help: string, labels: readonly string[] = []): Definition => ({ type: 'gauge', help, labels });

/** Counted on the data path, in slots. */
export const TRAFFIC_METRICS = {
  outrider_requests_total: counter('Requests that ended.', REQUEST_LABELS),
  outrider_request_duration_seconds: {
    type: 'histogram',
    help: 'Time from the head of a request to the end of its answer.',
    labels: [...REQUEST_LABELS, 'le'],
  },
  outrider_request_bytes_total: counter('Bytes of request bodies.', REQUEST_LABELS),
  outrider_response_bytes_total: counter('Bytes of response bodies.', REQUEST_LABELS),
  outrider_tcp_connections_opened_total: counter('Raw TCP connections that were opened.', TCP_LABELS),
  outrider_tcp_connections_closed_total: counter('Raw TCP connections that were closed.', TCP_LABELS),
  outrider_tcp_sent_bytes_total: counter('Bytes that raw TCP connections sent to the caller.', TCP_LABELS),
  outrider_tcp_received_bytes_total: counter('Bytes that raw TCP connections received from the caller.', TCP_LABELS),
  outrider_retries_total: counter('Attempts after the first.', [
    'source_service',
    'source_namespace',
    'destination_service',
    'destination_namespace',
    'route',
    'reason',
  ]),
} as const satisfies Record<string, Definition>;

/** Asked of their owners at each scrape: `Metrics.onCollect`. */
export const COLLECTED_METRICS = {
  outrider_circuit_breaker_state: gauge('1 while a circuit breaker is at its limit and refuses, else 0.', [
    'destination_service',
    'destination_namespace',
    'destination_port',
    'limit',
  ]),
  outrider_endpoint_state: gauge('1, with the state that the endpoint is in.', [
    'destination_service',
    'destination_namespace',
    'destination_port',
    'endpoint',
    'state',
  ]),
  outrider_health_check_state: gauge('1, with the state that a health check of the app beside is in.', [
    'port',
    'check',
    'state',
  ]),
  outrider_health_checks_total: counter('Health checks of the app beside.', ['port', 'check', 'result']),
  outrider_certificate_expiry_timestamp_seconds: gauge('When a certificate in use expires, in seconds since 1970.', [
    'certificate',
  ]),
  outrider_config_age_seconds: gauge('Time since the control plane last confirmed the configuration in use.'),
  outrider_open_connections: gauge('Open connections.', ['kind']),
  outrider_active_requests: gauge('Requests that have begun and not ended.', ['direction']),
  outrider_buffered_bytes: gauge('Bytes of bodies that wait in this sidecar.'),
  outrider_overloaded: gauge('1 while new work is refused for want of the resource, else 0.', ['resource']),
  outrider_overload_episodes_total: counter('Times at which new work began to be refused for want of the resource.', [
    'resource',
  ]),
  outrider_idle_timeouts_total: counter('Requests and connections that were ended because nothing came or went.', [
    'destination_service',
    'destination_namespace',
  ]),
  outrider_access_log_dropped_total: counter(
    'Log lines that were dropped because standard output was too slow or gone.',
  ),
} as const satisfies Record<string, Definition>;

/** Of this process, and of this library itself. */
export const PROCESS_METRICS = {
  outrider_build_info: gauge('Always 1; the labels say what runs.', ['version', 'node_version']),
  outrider_metric_series: gauge('Series that exist, the overflow series not counted.', ['table']),
  outrider_event_loop_busy_seconds_total: counter(
    'Time in which the event loop was not waiting. Its rate is the utilisation of the thread.',
    ['worker'],
  ),
  process_cpu_seconds_total: counter('CPU time, user and system.'),
  process_resident_memory_bytes: gauge('Resident memory.'),
  process_heap_bytes: gauge('JavaScript heap in use.'),
  process_external_memory_bytes: gauge('Memory of buffers outside the JavaScript heap.'),
  process_open_fds: gauge('Open file descriptors.'),
  process_start_time_seconds: gauge('When this process started, in seconds since 1970.'),
} as const satisfies Record<string, Definition>;

export const METRICS: Readonly<Record<string, Definition>> = {
  ...TRAFFIC_METRICS,
  ...COLLECTED_METRICS,
  ...PROCESS_METRICS,
};

export type CollectedMetric = keyof typeof COLLECTED_METRICS;
