import type { AppOrigin, PlainOrigin } from '../origin.ts';
import { HessianHeads } from '../protocol/hessian/call-heads.ts';
import { Http1RequestHeads } from '../protocol/http1/request-heads.ts';
import { CallHeads } from '../protocol/thrift/call-heads.ts';

/** The heads of connections that go the same way: interned together, since their plans are the same. */
export interface AppListenerState {
  readonly origin: AppOrigin | PlainOrigin;
  readonly calls: CallHeads;
  readonly hessian: HessianHeads;
  readonly heads: Http1RequestHeads;
  /** Its servers speak first: nothing is looked at any more, since it would only be waited for. */
  serverFirst: boolean;
}

/** `target`: the service that the listener stands for; undefined: each request says by its authority. */
export const appListenerState = (target: string | undefined): AppListenerState => ({
  origin: { link: false, target },
  calls: new CallHeads(),
  hessian: new HessianHeads(),
  heads: new Http1RequestHeads(),
  serverFirst: false,
});

/** The same for clients without a mesh certificate, at one port of the app. */
export const plainListenerState = (port: number): AppListenerState => ({
  ...appListenerState(undefined),
  origin: { link: false, target: undefined, port },
});
