import type { PeerIdentity } from './identity/peer-identity.ts';
import type { Fields } from './protocol/head.ts';

/** Where an exchange came from: one object per listener, or per connection of a peer. */
export type Origin = AppOrigin | LinkOrigin | PlainOrigin;

/** The app beside us, through one of the outbound listeners. */
export interface AppOrigin {
  readonly link: false;
  /** The listener stands for one service, whatever the Host says (`OUTRIDER_UPSTREAMS`, CONNECT); undefined: by authority. */
  readonly target: string | undefined;
}

/** A client without a mesh certificate, at a port of the app that lets it in (`PeerAuthentication`). */
export interface PlainOrigin {
  readonly link: false;
  readonly target: undefined;
  /** Port of the app that it was redirected from. */
  readonly port: number;
}

/** A peer with a mesh certificate. */
export interface LinkOrigin {
  readonly link: true;
  readonly peer: PeerIdentity;
  /** What the peer says of itself: for metrics and logs only. */
  caller: { readonly service: string; readonly namespace: string };
  /** The fields that the app gets from this peer: with the peer's identity added, kept per interned `Fields`. */
  readonly appFields: WeakMap<Fields, Fields>;
}

export const linkOrigin = (peer: PeerIdentity): LinkOrigin => ({
  link: true,
  peer,
  caller: { service: 'unknown', namespace: peer.namespace },
  appFields: new WeakMap(),
});
