import { once } from 'node:events';
import { connect } from 'node:net';

/** True when something accepts TCP connections on the port of 127.0.0.1. */
export const connects = async (port: number): Promise<boolean> => {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};
