/** A pair of proxies as most people would write them in Node: `node:http` or `node:https` in front, `undici` behind. */
import { fileURLToPath } from 'node:url';
import { NAME_B } from '../chain/certificates.ts';
import { freePorts, waitUntilListening } from '../chain/ports.ts';
import type { Peer } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';
import type { UsualProxyOptions } from './usual-way-proxy.ts';

const PROGRAM = fileURLToPath(new URL('usual-way-proxy.ts', import.meta.url));

export const usualWay: Peer = {
  name: 'usual way',
  version: () => `node:http and undici, Node ${process.version}`,
  unavailable: protocol => (protocol === 'http1' ? undefined : 'The usual way here is HTTP/1.1 only.'),
  async start({ children, certificates, appPort }) {
    const [portA, portB] = (await freePorts(2)) as [number, number];
    const proxy = (options: UsualProxyOptions): ProxyProcess => ({
      start: () => children.start(process.execPath, [PROGRAM, JSON.stringify(options)]),
      ready: child => waitUntilListening(child, options.port),
    });
    const { ca, a, b } = certificates;
    return startPair(
      portA,
      proxy({ port: portA, upstream: `https://127.0.0.1:${portB}`, serverName: NAME_B, outbound: { ca, ...a } }),
      proxy({ port: portB, upstream: `http://127.0.0.1:${appPort}`, inbound: { ca, ...b } }),
    );
  },
};
