import type { MtlsView } from '../../api/snapshot.ts';

/** Whether clients without a mesh certificate may use this port of the app. Without a policy they may not: `STRICT`. */
export const letsPlainTextIn = (mtls: MtlsView | undefined, port: number): boolean =>
  (mtls?.ports[port] ?? mtls?.mode ?? 'STRICT') !== 'STRICT';
