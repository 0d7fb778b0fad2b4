import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/**
 * Destroys a socket so that its peer does not take the end for the end of what was sent: a TCP reset.
 * Over TLS the missing close_notify says so (RFC 8446 §6.1); other sockets know no such thing.
 */
export const resetSocket = (socket: Duplex): void => {
  const tcp = socket instanceof Socket && !(socket instanceof TLSSocket) && socket.remoteFamily !== undefined;
  if (tcp && !socket.destroyed) socket.resetAndDestroy();
  else socket.destroy();
};
