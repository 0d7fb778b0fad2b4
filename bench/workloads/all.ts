/** Every workload, in the order of the report. */
import { FOOTPRINT_WORKLOADS } from './footprint.ts';
import { HTTP1_WORKLOADS } from './http1.ts';
import { HTTP2_WORKLOADS } from './http2.ts';
import { THRIFT_WORKLOADS } from './thrift.ts';
import { WORKER_WORKLOADS } from './workers.ts';
import type { Workload } from './workload.ts';

export const WORKLOADS: readonly Workload[] = [
  ...HTTP1_WORKLOADS,
  ...HTTP2_WORKLOADS,
  ...THRIFT_WORKLOADS,
  ...FOOTPRINT_WORKLOADS,
  ...WORKER_WORKLOADS,
];
