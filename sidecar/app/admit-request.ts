import type { AppPort } from '../config.ts';
import { type ProxyError, proxyError } from '../errors/proxy-error.ts';
import { isGrpc } from '../errors/respond-to-error.ts';
import type { LinkOrigin, PlainOrigin } from '../origin.ts';
import { type FieldList, Fields, NO_FIELDS, RequestHead, staysHttp2 } from '../protocol/head.ts';
import { isThrift, rpcLabels } from '../route/rpc-labels.ts';
import { SharedCounters } from '../route/shared-counters.ts';
import { CONTINUE, STOP, type Step } from '../step.ts';
import { HeadCounters } from '../telemetry/head-counters.ts';
import type { HeadLabels } from '../telemetry/labels.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TransportKind } from '../upstream/transports.ts';
import type { AppTransports } from './app-transports.ts';
import { InboundPlan } from './inbound-plan.ts';

const UNDECLARED_PORT = proxyError('NO_ROUTE', 'undeclared_port');

/** Names that this workload is called by, as callers give them: more than a few are nobody's configuration. */
const MAX_CALLED_NAMES = 50;

/** Who we are, for the labels of what we receive, and for what the app is told. */
export interface Self {
  readonly service: string;
  readonly namespace: string;
  /** Our SPIFFE id. */
  readonly principal: () => string;
}

export interface Admission {
  readonly self: Self;
  readonly appPorts: readonly AppPort[];
  readonly transports: AppTransports;
  readonly metrics: Metrics;
  /** The services that callers have asked us for (`outrider-to`): a workload may stand behind several. */
  readonly calledNames: Set<string>;
}

/**
 * Finds the app's port for a peer's request, and the head as the app gets it: with the peer's identity, without the link's own fields.
 * Answers NO_ROUTE for everything but declared ports. The plan is kept on the head, which is interned per connection and so per peer.
 */
export const admitRequest = (admission: Admission, shared = new SharedCounters()): Step => ({
  begin: exchange => {
    const { head } = exchange;
    const origin = exchange.origin as LinkOrigin | PlainOrigin;
    const plan = (head.plan as InboundPlan | undefined) ?? makePlan(admission, shared, head, origin);
    exchange.volatile = withoutLinkFields(exchange.volatile);
    if ('code' in plan) {
      exchange.fail(plan);
      return STOP;
    }
    head.plan = plan;
    exchange.plan = plan;
    return CONTINUE;
  },
});

const makePlan = (
  admission: Admission,
  shared: SharedCounters,
  head: RequestHead,
  origin: LinkOrigin | PlainOrigin,
): InboundPlan | ProxyError => {
  const { transports, self } = admission;
  const port = portFor(admission, head, origin);
  if (port === undefined) return UNDECLARED_PORT;
  const appHead = new RequestHead(
    head.method,
    head.scheme,
    head.authority,
    head.path,
    origin.link ? appFields(head.fields, origin, self) : head.fields,
    head.protocol,
    isThrift(head) ? head.link : undefined,
  );
  const transport = transports.get(port.port, kindFor(head, port));
  const route = head.link?.route ?? '';
  const { request_protocol, method } = rpcLabels(head, port.protocol);
  const source = sourceOf(origin);
  const key = `${self.principal()} ${source.source_principal} ${source.source_service}.${source.source_namespace} ${head.link?.to ?? ''} ${route} ${request_protocol} ${method}`;
  const counters = shared.find(
    key,
    () => new HeadCounters(admission.metrics, { ...labelsOf(admission, head, route, port), ...source }),
  );
  return new InboundPlan(transport, appHead, route, counters);
};

/** Peers get declared ports only; who was redirected from a port gets that one, which the app has opened to everyone. */
const portFor = ({ appPorts }: Admission, head: RequestHead, origin: LinkOrigin | PlainOrigin): AppPort | undefined => {
  const wanted = origin.link ? (head.link?.port ?? 0) : origin.port;
  if (wanted === 0) return appPorts[0];
  const declared = appPorts.find(candidate => candidate.port === wanted);
  return declared ?? (origin.link ? undefined : { port: wanted, protocol: 'tcp' });
};

const kindFor = (head: RequestHead, port: AppPort): TransportKind => {
  if (head.method === 'CONNECT') return 'tcp';
  if (isThrift(head)) return 'thrift';
  return port.protocol === 'http2' || port.protocol === 'grpc' || isGrpc(head) || staysHttp2(head) ? 'http2' : 'http1';
};

/** The peer's fields as the app gets them, the same object for the same fields. Envoy: forward_client_cert_details SANITIZE_SET. */
const appFields = (fields: Fields, origin: LinkOrigin, self: Self): Fields => {
  let known = origin.appFields.get(fields);
  if (known === undefined) {
    const { id, fingerprintSha256 } = origin.peer;
    const certificate = `By=${self.principal()};Hash=${fingerprintSha256};URI=${id}`;
    known = new Fields(
      [...fields.list, 'x-forwarded-client-cert', certificate, 'x-outrider-peer', id],
      fields.http1Shape,
    );
    origin.appFields.set(fields, known);
  }
  return known;
};

/** Who calls, as metrics say it. Nothing is known of a client without a certificate. */
const sourceOf = (origin: LinkOrigin | PlainOrigin) =>
  origin.link
    ? ({
        source_service: origin.caller.service,
        source_namespace: origin.caller.namespace,
        source_principal: origin.peer.id,
        connection_security_policy: 'mutual_tls',
      } as const)
    : ({
        source_service: 'unknown',
        source_namespace: '',
        source_principal: '',
        connection_security_policy: 'none',
      } as const);

const labelsOf = (
  admission: Admission,
  head: RequestHead,
  route: string,
  port: AppPort,
): Omit<HeadLabels, keyof ReturnType<typeof sourceOf>> => ({
  reporter: 'destination',
  ...calledAs(admission, head.link?.to ?? ''),
  destination_principal: admission.self.principal(),
  route,
  ...rpcLabels(head, port.protocol),
});

/** The service that the caller asked for, so that both sides count under one name; ours when it says none, or too many were said. */
const calledAs = ({ self, calledNames }: Admission, to: string) => {
  const own = { destination_service: self.service, destination_namespace: self.namespace };
  const at = to.indexOf('.');
  if (at < 1 || (!calledNames.has(to) && calledNames.size >= MAX_CALLED_NAMES)) return own;
  calledNames.add(to);
  return { destination_service: to.slice(0, at), destination_namespace: to.slice(at + 1) };
};

/** What the calling sidecar says about time and tries, under the names that the app knows. */
const withoutLinkFields = (volatile: FieldList): FieldList => {
  let list: string[] | undefined;
  for (let i = 0; i < volatile.length; i += 2) {
    const name = volatile[i] as string;
    if (!name.startsWith('outrider-')) list?.push(name, volatile[i + 1] as string);
    else {
      list ??= volatile.slice(0, i);
      if (name === 'outrider-attempt') list.push('x-outrider-attempt', volatile[i + 1] as string);
    }
  }
  return list ?? (volatile.length === 0 ? NO_FIELDS : volatile);
};
