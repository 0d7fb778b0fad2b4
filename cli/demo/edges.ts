/** Who calls whom, and how it goes: from what the sidecars say on `/metrics`. */
import { type Buckets, quantile } from './quantile.ts';
import type { Sample } from './samples.ts';

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  /** Connections of raw TCP. */
  readonly requests: number;
  /** Answers that the caller got and that were no success, after all attempts. */
  readonly failures: number;
  readonly retries: number;
  /** Milliseconds; 0 for raw TCP, where nobody knows what a request is. */
  readonly p50: number;
  readonly p99: number;
  /** `mutual_tls` when both sidecars say so of every request, and the called one saw the caller's own identity. */
  readonly security: 'mutual_tls' | 'none';
  /** Instances by state, as the caller's sidecar sees them: `1 healthy`. */
  readonly endpoints: string;
}

const REQUESTS = 'outrider_requests_total';
const COUNTED = [REQUESTS, 'outrider_tcp_connections_opened_total'];

interface Sums {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  requests: number;
  failures: number;
  retries: number;
  readonly buckets: Map<number, number>;
  secured: number;
  /** As the called sidecar counts: attempts, with the caller's verified identity. */
  received: number;
  verified: number;
}

/** From the samples of all sidecars. `settled`: nothing is under way, so that callers and called ones must agree about the number. */
export const edgesOf = (samples: readonly Sample[], settled: boolean): Edge[] => {
  const all = new Map<string, Sums>();
  for (const sample of samples)
    if (COUNTED.includes(sample.name) && sample.labels.reporter === 'source') {
      const {
        source_service: from = '',
        destination_service: to = '',
        request_protocol: protocol = '',
      } = sample.labels;
      if (!all.has(`${from} ${to}`))
        all.set(`${from} ${to}`, {
          from,
          to,
          protocol,
          requests: 0,
          failures: 0,
          retries: 0,
          buckets: new Map(),
          secured: 0,
          received: 0,
          verified: 0,
        });
    }
  for (const sample of samples) {
    const sums = all.get(`${sample.labels.source_service} ${sample.labels.destination_service}`);
    if (sums !== undefined) add(sums, sample);
  }
  return [...all.values()].map(sums => edgeOf(sums, samples, settled));
};

const add = (sums: Sums, { name, labels, value }: Sample): void => {
  const isSecure = labels.connection_security_policy === 'mutual_tls';
  if (name === 'outrider_retries_total') sums.retries += value;
  else if (labels.reporter === 'destination') {
    if (!COUNTED.includes(name)) return;
    sums.received += value;
    if (isSecure && labels.source_principal?.endsWith(`/sa/${sums.from}`)) sums.verified += value;
  } else if (COUNTED.includes(name)) {
    sums.requests += value;
    if (name === REQUESTS && isFailure(labels)) sums.failures += value;
    if (isSecure) sums.secured += value;
  } else if (name === 'outrider_request_duration_seconds_bucket') {
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    sums.buckets.set(bound, (sums.buckets.get(bound) ?? 0) + value);
  }
};

const isFailure = ({ response_code = '0', grpc_response_status = '' }: Sample['labels']): boolean =>
  Number(response_code) < 100 || Number(response_code) >= 400 || !['', '0'].includes(grpc_response_status);

const edgeOf = (sums: Sums, samples: readonly Sample[], settled: boolean): Edge => {
  const { from, to, protocol, requests, failures, retries, buckets, secured, received, verified } = sums;
  const isSecure = secured === requests && verified === received && received > 0 && (!settled || received >= requests);
  return {
    from,
    to,
    protocol,
    requests,
    failures,
    retries,
    p50: milliseconds(buckets, 0.5),
    p99: milliseconds(buckets, 0.99),
    security: isSecure ? 'mutual_tls' : 'none',
    endpoints: endpointsOf(to, samples),
  };
};

const milliseconds = (buckets: Buckets, q: number): number => Math.round(quantile(buckets, q) * 100_000) / 100;

/** Of the callers' views, the one with the most to say. */
const endpointsOf = (service: string, samples: readonly Sample[]): string => {
  const states = new Map<string, Set<string>>();
  for (const { name, labels, value } of samples) {
    if (name !== 'outrider_endpoint_state' || labels.destination_service !== service || value !== 1) continue;
    const { state = '', endpoint = '' } = labels;
    states.set(state, (states.get(state) ?? new Set()).add(endpoint));
  }
  return [...states].map(([state, endpoints]) => `${endpoints.size} ${state}`).join(', ');
};
