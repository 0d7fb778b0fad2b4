/**
 * What a sidecar and the control plane say to each other on `POST /v1/discovery`: one JSON object a line, both ways.
 *
 *   sidecar                                     control plane
 *   hello {who, where, what it holds} ────────▶
 *                                     ◀──────── welcome {its name, server time}
 *                                     ◀──────── update 1 {what differs from what it holds}
 *   ack 1 | nack 1 {path, reason} ────────────▶
 *   subscribe | unsubscribe {names} ──────────▶
 *   report {readiness, health, clock} ────────▶
 *   heartbeat ◀───────────────────────────────▶ heartbeat
 *   bye ──────────────────────────────────────▶
 *                                     ◀──────── gone {nobody is sent to it any more}
 *                                     ◀──────── error {reason}, and the stream ends
 *
 * Versions are made from the content, so a sidecar resumes at any control plane, also at one that was restarted. One update
 * is under way at a time; what changes meanwhile is in the next one, as the newest state. Members that are not known are
 * ignored: releases N and N−1 understand each other.
 */
import type {
  AppProtocol,
  EndpointView,
  HealthCheckView,
  MtlsView,
  PathNormalization,
  ServiceView,
  Snapshot,
} from './snapshot.ts';

/** Before `host:port` in a subscription: a server outside as a TLS client names it (SNI), for which there may be an `ExternalName`. */
export const SNI_PREFIX = 'sni=';

export const DISCOVERY_PROTOCOL = 1;
/** Each side sends something at least this often … */
export const HEARTBEAT_MS = 5_000;
/** … and takes the other one for dead after this long without a line. */
export const DEAD_MS = 15_000;
/** Longest line that a control plane accepts. */
export const MAX_CLIENT_LINE_BYTES = 1_048_576;
/** Longest line that a sidecar accepts: one service with all its endpoints fits into it. */
export const MAX_SERVER_LINE_BYTES = 33_554_432;
/** Names and addresses that one sidecar may have asked for. */
export const MAX_SUBSCRIPTIONS = 2_000;

/**
 * The name of a view of one instance, which is what its own address leads to: its Workload's name and this. No Service has
 * a dot in its name.
 */
export const INSTANCE_SUFFIX = '.workload';

/** Versions of one service: of its routes and policies, and of its endpoints. */
export type ServiceVersions = readonly [config: string, endpoints: string];

export interface HelloPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: AppProtocol;
}

/** The first line. Namespace and service account come from the certificate. */
export interface Hello {
  readonly type: 'hello';
  readonly protocol: number;
  readonly release: string;
  /** Tells the instances of a service apart; the same after a restart that keeps the state folder. Lower-case letters and digits. */
  readonly instance: string;
  /** '' for a sidecar that only calls. */
  readonly service: string;
  readonly ports: readonly HelloPort[];
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone`, or ''. */
  readonly locality: string;
  /** `host:port` that peers dial. */
  readonly advertise: string;
  /** Of the app behind it, from the first moment; absent from release 0.1.0, and meant as Healthy. */
  readonly health?: Report['health'];
  /** What it runs on; '' and empty at the first start. */
  readonly have: {
    readonly configVersion: string;
    readonly endpointVersion: string;
    readonly services: Readonly<Record<string, ServiceVersions>>;
  };
  /** `service.namespace`, or `address:port`. */
  readonly subscriptions: readonly string[];
}

export interface Subscribe {
  readonly type: 'subscribe' | 'unsubscribe';
  readonly names: readonly string[];
}

export interface Ack {
  readonly type: 'ack';
  readonly update: number;
}

export interface Nack {
  readonly type: 'nack';
  readonly update: number;
  /** Where in the snapshot: `services[0].ports[1].routes[0]`. */
  readonly path: string;
  readonly reason: string;
}

/** `Starting`: it has no configuration yet, which says how its app is checked; it is in nobody's endpoints, and makes no service come into being. */
export const HEALTHS = ['Starting', 'Healthy', 'Unhealthy', 'Draining'] as const;

/** Sent after each change, and with the heartbeats' pace while something moves. */
export interface Report {
  readonly type: 'report';
  readonly ready: boolean;
  readonly health: (typeof HEALTHS)[number];
  /** Why it is not healthy, as a sentence; '' or absent: it is, or there is nothing to say. */
  readonly reason?: string;
  /** Its clock minus the server's. */
  readonly clockSkewMs: number;
  /** Milliseconds since 1970. */
  readonly certificateExpiresAtMs: number;
  /** Services and endpoints in its snapshot. */
  readonly services: number;
  readonly endpoints: number;
}

export interface Heartbeat {
  readonly type: 'heartbeat';
  /** Sender's wall clock, milliseconds since 1970. */
  readonly wallMs: number;
}

/** The sidecar leaves: no new requests for it, at once. */
export interface Bye {
  readonly type: 'bye';
  /** It waits for `gone`. */
  readonly confirm: boolean;
}

export type ClientMessage = Hello | Subscribe | Ack | Nack | Report | Heartbeat | Bye;

export interface Welcome {
  readonly type: 'welcome';
  /** Name of its Sidecar (and Workload) object. */
  readonly sidecar: string;
  readonly wallMs: number;
  readonly release: string;
}

/** What differs from what the sidecar holds. Large ones come in several lines; the last one has `done`. */
export interface Update {
  readonly type: 'update';
  /** Counts the updates of this stream, from 1. */
  readonly update: number;
  readonly done: boolean;
  /** Of the snapshot after the update. */
  readonly configVersion: string;
  readonly endpointVersion: string;
  readonly trustDomain: string;
  readonly outboundPolicy: Snapshot['outboundPolicy'];
  /** Absent from a control plane of an earlier release: `BASE`. */
  readonly pathNormalization?: PathNormalization;
  /** Of its own app: all of them, in every update. */
  readonly healthChecks?: readonly HealthCheckView[];
  /** Of its own app, in every update; absent: the default. */
  readonly mtls?: MtlsView;
  readonly changed: readonly ServiceChange[];
  /** `service.namespace` */
  readonly removed: readonly string[];
  /** Subscription to the `service.namespace` that it leads to; null: not in the mesh. Only what is new. */
  readonly answers: Readonly<Record<string, string | null>>;
}

/** A part that is absent stays as it is. */
export interface ServiceChange {
  /** `service.namespace` */
  readonly service: string;
  readonly versions: ServiceVersions;
  readonly config?: Omit<ServiceView, 'endpoints'>;
  readonly endpoints?: readonly EndpointView[];
}

/** The answer to a `bye` that asks for it: the sidecars that knew of the leaving one have confirmed that they no longer do. */
export interface Gone {
  readonly type: 'gone';
}

/** The stream ends; `retry` false: with the same hello it would end again. */
export interface Refusal {
  readonly type: 'error';
  readonly reason: string;
  readonly retry: boolean;
}

export type ServerMessage = Welcome | Update | Heartbeat | Gone | Refusal;
