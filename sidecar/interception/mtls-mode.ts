import type { MtlsMode, MtlsView } from '../../api/snapshot.ts';

/** ALPN by which sidecars know each other (docs: the mesh link). On a connection that was not meant for us nothing else makes TLS the mesh's. */
export const MESH_ALPN = 'outrider/1';

/** What holds for this port of the app. Without a policy only clients with a mesh certificate may use it. */
export const modeOf = (mtls: MtlsView | undefined, port: number): MtlsMode =>
  mtls?.ports[port] ?? mtls?.mode ?? 'STRICT';
