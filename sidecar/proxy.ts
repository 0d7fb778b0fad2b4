import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../common/clock.ts';
import type { Logger } from '../common/logger.ts';
import type { Random } from '../common/random.ts';
import { AppTransports } from './app/app-transports.ts';
import { BufferBudget, budgetBytes, MAX_BUFFERED_BYTES } from './buffer-budget.ts';
import { formatAddress, type SidecarConfig } from './config.ts';
import type { ServiceNames } from './discovery/discovery.ts';
import { OutsideClusters, outsideDestination } from './egress/outside-clusters.ts';
import { ownListeners } from './egress/own-listeners.ts';
import type { IdentityView } from './identity/certificate-store.ts';
import { createMtlsTerminator, type MtlsTerminator } from './identity/terminate-mtls.ts';
import { type InboundOwners, inbound, refusedInbound } from './inbound.ts';
import { intercept } from './interception/intercept.ts';
import type { Interception } from './interception/interception.ts';
import type { OriginalDestination } from './interception/original-destination.ts';
import { AppConnections } from './listener/app-connection.ts';
import { appListenerState } from './listener/app-listener-state.ts';
import { Connections } from './listener/connections.ts';
import { acceptPeer } from './listener/link-connection.ts';
import { Listener } from './listener/listen.ts';
import { formatPeerHello } from './listener/peer-hello.ts';
import { type OutboundOwners, outbound, refusedOutbound } from './outbound.ts';
import type { RequestHead } from './protocol/head.ts';
import { Http1ResponseHeads } from './protocol/http1/response-heads.ts';
import { BlockPool } from './protocol/outbox.ts';
import { EventLoopWatch, threadCpuMs } from './resilience/event-loop-watch.ts';
import { IdleSweep } from './resilience/idle-sweep.ts';
import { logRefusals } from './resilience/log-refusals.ts';
import { OutlierDetector } from './resilience/outlier-detection/detector.ts';
import { OverloadEpisodes } from './resilience/overload-episodes.ts';
import { isOneway } from './route/match-route.ts';
import { Routing } from './route/routing.ts';
import type { AccessLog } from './telemetry/access-log.ts';
import type { Metrics } from './telemetry/metrics.ts';
import type { InFlight, Recording } from './telemetry/record-exchange.ts';
import { Clusters } from './upstream/cluster.ts';
import { EndpointTransports } from './upstream/endpoint-transports.ts';
import type { TransportParts } from './upstream/transports.ts';
import type { Drainable } from './workers/drain-in-order.ts';
import { ALONE, type News, type Place } from './workers/place.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_HANDSHAKES = 1_000;
const HTTPS = ':443';
const NO_IPV6: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

export interface ProxyOptions {
  readonly config: SidecarConfig;
  readonly version: string;
  readonly discovery: ServiceNames;
  readonly identities: IdentityView;
  readonly metrics: Metrics;
  readonly accessLog: AccessLog;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: there is no other worker. */
  readonly place?: Place;
  /** For tests. Default: the kernel is asked. */
  readonly originalDestination?: OriginalDestination;
}

/**
 * The data plane of one worker: builds every owner of both directions, hands them down, and ends them in reverse. Owned by `main`, or by the program
 * of a further worker; lives as long as its thread.
 * States: built → listening → draining → closed.
 */
export class SidecarProxy implements Drainable {
  readonly routing: Routing;
  readonly budget: BufferBudget;
  readonly eventLoop: EventLoopWatch;
  readonly overload: OverloadEpisodes;
  readonly inFlight: { readonly outbound: InFlight; readonly inbound: InFlight } = {
    outbound: { count: 0 },
    inbound: { count: 0 },
  };
  readonly fromApp = new Connections();
  readonly fromPeers = new Connections();
  readonly endpoints: EndpointTransports;
  readonly app: AppTransports;
  readonly outside: OutsideClusters;
  readonly idleSweep: IdleSweep;
  readonly listeners: Listener[] = [];
  private readonly options: ProxyOptions;
  private readonly place: Place;
  private readonly terminator: MtlsTerminator;
  private readonly appConnections: AppConnections;
  private readonly interception: Interception | undefined;
  private readonly unsubscribe: () => void;

  constructor(options: ProxyOptions) {
    this.options = options;
    const { config, clock, random, identities, metrics, log, discovery } = options;
    const { snapshots } = discovery;
    const place = options.place ?? ALONE;
    this.place = place;
    const buffers = place.cells('buffers', budgetBytes(place.count));
    this.budget = new BufferBudget(MAX_BUFFERED_BYTES, buffers, place.number);
    const { budget } = this;
    this.eventLoop = new EventLoopWatch(clock, threadCpuMs);
    this.overload = new OverloadEpisodes(log, clock);
    const { eventLoop, overload } = this;
    const blocks = new BlockPool();
    const hello = formatPeerHello({
      service: config.service,
      namespace: config.namespace,
      labels: config.labels,
      release: options.version,
      worker: place.number,
      workers: place.count,
    });
    const parts: TransportParts = {
      account: budget,
      blocks,
      clock,
      random,
      heads: new Http1ResponseHeads(),
      worker: place,
    };
    this.endpoints = new EndpointTransports({ parts, store: identities, hello });
    this.app = new AppTransports(parts, config.appAddress, config.appPorts, place.cells);
    const isOwn = ownListeners(() => this.listeners.map(listener => listener.address));
    this.outside = new OutsideClusters(parts, isOwn);
    this.routing = new Routing(
      snapshots.value,
      config.namespace,
      new Clusters(
        {
          clock,
          random,
          onRefuse: logRefusals(log, clock),
          cells: place.cells,
          onProbe: ({ key }, endpoint) => place.tell({ kind: 'probe', endpoint: endpoint.key, cluster: key }),
        },
        endpoint => this.endpoints.drain(endpoint),
      ),
    );
    this.idleSweep = new IdleSweep({
      open: () => this.fromApp.carried(),
      clusters: () => this.routing.clusters.all(),
      clock,
    });
    this.idleSweep.start();
    this.unsubscribe = snapshots.subscribe(snapshot => {
      this.routing.apply(snapshot);
      this.idleSweep.start();
    });

    const principal = (): string => identities.current?.id.uri ?? '';
    const onProtocolError = (direction: string) => (error: { readonly detail: string; readonly cause: string }) =>
      log.debug('A connection broke the rules of its protocol.', {
        direction,
        detail: error.detail,
        cause: error.cause,
      });

    const outboundOwners: OutboundOwners = {
      recording: this.recording('outbound'),
      discovery,
      plans: {
        routing: this.routing,
        metrics,
        source: () => ({
          source_service: config.service,
          source_namespace: config.namespace,
          source_principal: principal(),
        }),
      },
      budget,
      eventLoop,
      overload,
      clock,
      random,
      onRetry: (exchange, reason) => {
        const labels = exchange.plan?.countersFor(exchange).labels;
        if (labels === undefined) return;
        const { source_service, source_namespace, destination_service, destination_namespace, route } = labels;
        metrics.retried({
          source_service,
          source_namespace,
          destination_service,
          destination_namespace,
          route,
          reason,
        });
      },
      destination: exchange => outsideDestination(exchange) ?? this.endpoints.destination(exchange),
      outside: this.outside,
      outlierDetector: new OutlierDetector({
        clock,
        random,
        log,
        onChange: endpoint => {
          this.routing.clusters.repick(endpoint);
          place.tell({ kind: 'health', endpoint: endpoint.key });
        },
      }),
    };
    this.appConnections = new AppConnections({
      exchange: { clock, account: budget, pipeline: outbound(outboundOwners) },
      refused: { clock, account: budget, pipeline: refusedOutbound(outboundOwners) },
      connections: this.fromApp,
      blocks,
      clock,
      whenFound: (target, done) => {
        if (discovery.lookup(target) !== 'unknown') done();
        else discovery.wait(target, done);
      },
      isRawTcp: target => this.routing.table.find(target)?.port.protocol === 'tcp',
      isThrift: target => this.routing.table.find(target)?.port.protocol === 'thrift',
      isOneway: (target, head) => isOneway(this.routing.table.find(target), head),
      pipelines: target => this.routing.table.find(target)?.port.policy.thriftPipelining === 'parallel',
      isHessian: target => this.routing.table.find(target)?.port.protocol === 'hessian',
      isDeclared: target => this.routing.table.find(target)?.port.assumed === undefined,
      isKnown: target => this.routing.table.find(target) !== undefined,
      // Elsewhere nothing is looked at, so that nobody waits for it.
      mayBeNamed: target => !this.routing.table.allowsAny || target.endsWith(HTTPS),
      onProtocolError: onProtocolError('outbound'),
    });

    const inboundOwners: InboundOwners = {
      recording: this.recording('inbound'),
      routing: this.routing,
      admission: {
        self: { service: config.service, namespace: config.namespace, principal },
        appPorts: config.appPorts,
        transports: this.app,
        metrics,
        calledNames: new Set(),
      },
      budget,
      eventLoop,
      overload,
      clock,
      random,
    };
    const linkOptions = {
      exchange: { clock, account: budget, pipeline: inbound(inboundOwners) },
      refused: { clock, account: budget, pipeline: refusedInbound(inboundOwners) },
      connections: this.fromPeers,
      blocks,
      clock,
      store: identities,
      hello,
      onProtocolError: onProtocolError('inbound'),
      isHessian: ({ link }: RequestHead) =>
        config.appPorts.find(({ port }) => link === undefined || link.port === 0 || port === link.port)?.protocol ===
        'hessian',
    };
    const onRefused = (reason: string, remoteAddress: string): void =>
      log.info('A connection to the inbound port was refused.', { reason, remote_address: remoteAddress });
    this.terminator = createMtlsTerminator({
      store: identities,
      clock,
      alpn: ['outrider/1', 'h2'],
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      maxHandshakes: MAX_HANDSHAKES,
      onConnection: (socket, peer, alpn, validity) => acceptPeer(linkOptions, socket, peer, alpn, validity),
      onRefused,
    });
    this.interception =
      config.interception === 'none'
        ? undefined
        : intercept({
            config,
            isOwn,
            fromApp: this.appConnections,
            inbound: linkOptions,
            mtls: () => snapshots.value.mtls,
            terminator: this.terminator,
            onRefused,
            log,
            ...(options.originalDestination && { originalDestination: options.originalDestination }),
          });
  }

  private recording(direction: 'outbound' | 'inbound'): Recording {
    const { clock, accessLog } = this.options;
    return { direction, clock, accessLog, newRequestId: randomUUID, inFlight: this.inFlight[direction] };
  }

  /** Opens every listener. @throws when one can't be opened; `close` then closes the others. */
  async listen(): Promise<void> {
    const { config } = this.options;
    const main = appListenerState(undefined);
    const { interception } = this;
    await this.open('inbound', config.inbound, socket => {
      if (interception?.inbound(socket) !== true) this.terminator.accept(socket);
    });
    const fromApp = (socket: Socket): void => {
      if (interception?.outbound(socket) !== true) this.appConnections.accept(socket, main);
    };
    await this.open('outbound', config.outbound, fromApp);
    if (interception !== undefined) await this.openRedirectedIPv6(fromApp);
    for (const upstream of config.upstreams) {
      const state = appListenerState(upstream.service);
      await this.open(`upstream ${upstream.service}`, upstream, socket => this.appConnections.accept(socket, state));
    }
  }

  private async open(
    name: string,
    address: { readonly host: string; readonly port: number },
    accept: (socket: Socket) => void,
  ): Promise<void> {
    const { number, count, addresses } = this.place;
    try {
      // A port that is shared could be another sidecar's without anybody noticing.
      if (count > 1 && number === 0 && address.port !== 0)
        await (await Listener.open(name, address, () => {}))[Symbol.asyncDispose]();
      this.listeners.push(await Listener.open(name, addresses.get(name) ?? address, accept, count > 1));
    } catch (cause) {
      throw new Error(`the ${name} listener can't listen on ${formatAddress(address)}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** A redirected connection keeps its family, so IPv6 needs a listener of its own, on the port of the first. Without IPv6 there is none. */
  private async openRedirectedIPv6(accept: (socket: Socket) => void): Promise<void> {
    const { address } = this.listeners.find(({ name }) => name === 'outbound') as Listener;
    if (address.host !== '127.0.0.1') return;
    try {
      this.listeners.push(await Listener.open('outbound IPv6', { host: '::1', port: address.port }, accept));
    } catch (error) {
      if (!NO_IPV6.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  async drainFromPeers(withinMs: number): Promise<void> {
    await this.closeListeners(({ name }) => name === 'inbound');
    await this.fromPeers.drain(withinMs, this.options.clock);
  }

  async drainFromApp(withinMs: number): Promise<void> {
    await this.closeListeners(({ name }) => name !== 'inbound');
    await this.fromApp.drain(withinMs, this.options.clock);
  }

  private async closeListeners(which: (listener: Listener) => boolean): Promise<void> {
    await Promise.all(this.listeners.filter(which).map(listener => listener[Symbol.asyncDispose]()));
  }

  /** What another worker has found out about an instance. */
  hear(news: News): void {
    const { clusters } = this.routing;
    const endpoint = clusters.endpoint(news.endpoint);
    if (endpoint === undefined) return;
    if (news.kind === 'health') clusters.repick(endpoint);
    else if (clusters.get(news.cluster)?.endpoints.includes(endpoint) === true)
      clusters.get(news.cluster)?.addProbe(endpoint);
  }

  /** Ends everything now. */
  close(): void {
    this.unsubscribe();
    this.interception?.[Symbol.dispose]();
    this.idleSweep[Symbol.dispose]();
    this.eventLoop[Symbol.dispose]();
    this.fromPeers.close();
    this.fromApp.close();
    for (const listener of this.listeners) void listener[Symbol.asyncDispose]();
    this.terminator.close();
    this.endpoints.close();
    this.outside.close();
    this.app.close();
  }
}
