/** Every peer, in the order of a round. */
import { envoy } from './envoy.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { ours, oursBuilt, oursWithTwoWorkers } from './ours.ts';
import type { Peer } from './peer.ts';
import { usualWay } from './usual-way.ts';

export const PEERS: readonly Peer[] = [ours, oursBuilt, oursWithTwoWorkers, haproxy, nginx, envoy, usualWay];
