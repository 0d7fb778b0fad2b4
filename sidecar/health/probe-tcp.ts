import net from 'node:net';
import type { Address } from '../config.ts';
import type { Probe } from './probe.ts';
import { probeFailure } from './probe-failure.ts';

/** Healthy is who accepts a connection. Kubernetes: tcpSocket; Envoy: tcp_health_check without a payload. */
export const probeTcp =
  (address: Address): Probe =>
  signal =>
    new Promise(resolve => {
      const socket = net.connect({ ...address, signal });
      socket.once('connect', () => {
        socket.destroy();
        resolve({ ok: true, cause: 'connected' });
      });
      socket.on('error', error => resolve(probeFailure(error)));
    });
