import type { ProbeView } from '../../api/snapshot.ts';

/**
 * A probe of Kubernetes that the sidecar makes in the kubelet's place, from within the pod: what the kubelet sends is no mesh traffic, and a connection
 * that the sidecar takes says nothing of the app. Istio: the `/app-health` paths of its agent.
 */
export interface AppProbe {
  /** Where the kubelet asks for it, on the metrics address. */
  readonly url: string;
  readonly port: number;
  readonly view: ProbeView;
  /** The certificate is not verified, as the kubelet does not. */
  readonly https: boolean;
  readonly timeoutMs: number;
}

const MAX_PROBES = 100;
const MAX_TIMEOUT_SECONDS = 3_600;
const URL_PATH = /^\/app-health\/[-a-z0-9]{1,63}\/(readyz|livez|startupz)$/;
const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;
const PATH = /^\/[\x21-\x7e]*$/;
/** What the kubelet takes for success. */
const SUCCESS: readonly (readonly [number, number])[] = [[200, 399]];

type Plain = Readonly<Record<string, unknown>>;
const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads `{"/app-health/app/readyz": {"httpGet": {"path": "/ok", "port": 8080}, "timeoutSeconds": 1}}`: Kubernetes' words. Text: what is wrong. */
export const parseAppProbes = (json: string): readonly AppProbe[] | string => {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return 'must be JSON';
  }
  if (!isPlain(value)) return 'must be an object of probes by path';
  const entries = Object.entries(value);
  if (entries.length > MAX_PROBES) return `must have at most ${MAX_PROBES} probes`;
  const probes: AppProbe[] = [];
  for (const [url, each] of entries) {
    const probe = URL_PATH.test(url) ? readProbe(url, each) : undefined;
    if (probe === undefined) return `has no probe that can be made at ${JSON.stringify(url)}`;
    probes.push(probe);
  }
  return probes;
};

const readProbe = (url: string, value: unknown): AppProbe | undefined => {
  if (!isPlain(value)) return undefined;
  const { httpGet, tcpSocket, grpc, timeoutSeconds = 1 } = value;
  const action = httpGet ?? tcpSocket ?? grpc;
  const view = isPlain(httpGet)
    ? readHttp(httpGet)
    : isPlain(tcpSocket)
      ? TCP
      : isPlain(grpc)
        ? readGrpc(grpc)
        : undefined;
  if (view === undefined || !isPlain(action)) return undefined;
  const { port, scheme = 'HTTP' } = action;
  if (!isWhole(port, 65_535) || !isWhole(timeoutSeconds, MAX_TIMEOUT_SECONDS)) return undefined;
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') return undefined;
  return { url, port, view, https: scheme === 'HTTPS', timeoutMs: timeoutSeconds * 1_000 };
};

const TCP: ProbeView = { kind: 'tcp' };

const readGrpc = ({ service }: Plain): ProbeView | undefined =>
  service === undefined || service === null || typeof service === 'string'
    ? { kind: 'grpc', service: service ?? '' }
    : undefined;

const readHttp = ({ path = '/', httpHeaders = [] }: Plain): ProbeView | undefined => {
  if (typeof path !== 'string' || !Array.isArray(httpHeaders)) return undefined;
  // Kubernetes takes a path without its slash too.
  const target = path.startsWith('/') ? path : `/${path}`;
  if (!PATH.test(target)) return undefined;
  const headers: { name: string; value: string }[] = [];
  for (const each of httpHeaders) {
    const { name, value } = isPlain(each) ? each : {};
    if (typeof name !== 'string' || typeof value !== 'string') return undefined;
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) return undefined;
    headers.push({ name, value });
  }
  return { kind: 'http', path: target, authority: '', headers, statuses: SUCCESS, http2: false };
};

const isWhole = (value: unknown, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
