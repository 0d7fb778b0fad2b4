/** What the demo shows. */
import { formatTable } from '../print-table.ts';
import type { Edge } from './edges.ts';

export interface Summary {
  readonly edges: readonly Edge[];
  /** Requests of the shoppers, and how many of them failed. */
  readonly sent: number;
  readonly failed: number;
  /** From the start of this command to the first answer. */
  readonly firstAnswerSeconds: number;
  readonly seconds: number;
}

/** Every request succeeded, over mTLS. */
export const isGood = ({ edges, sent, failed }: Summary): boolean =>
  sent > 0 && failed === 0 && edges.every(edge => edge.failures === 0 && edge.security === 'mutual_tls');

const sum = (edges: readonly Edge[], of: (edge: Edge) => number): number =>
  edges.reduce((total, edge) => total + of(edge), 0);

const success = (edge: Edge): string =>
  edge.requests === 0 ? '-' : `${((100 * (edge.requests - edge.failures)) / edge.requests).toFixed(1)}%`;

const duration = ({ protocol }: Edge, ms: number): string => (protocol === 'tcp' ? '-' : ms.toFixed(1));

/** `perSecond`: of each edge, in the same order. */
export const edgeTable = (edges: readonly Edge[], perSecond: readonly number[]): string[] => {
  const names = [
    'From',
    'To',
    'Protocol',
    'Req/s',
    'Requests',
    'Success',
    'p50 ms',
    'p99 ms',
    'Retries',
    'mTLS',
    'Endpoints',
  ];
  return formatTable(
    {
      columnDefinitions: names.map(name => ({ name, priority: 0 })),
      rows: edges.map((edge, i) => ({
        cells: [
          edge.from,
          edge.to,
          edge.protocol,
          (perSecond[i] ?? 0).toFixed(1),
          edge.requests,
          success(edge),
          duration(edge, edge.p50),
          duration(edge, edge.p99),
          edge.retries,
          edge.security === 'mutual_tls' ? 'yes' : 'NO',
          edge.endpoints,
        ],
      })),
    },
    { wide: false, withNamespace: false, withHeader: true },
  );
};

/** One line for a log. */
export const progressLine = (seconds: number, edges: readonly Edge[], perSecond: readonly number[]): string => {
  const rate = perSecond.reduce((total, each) => total + each, 0);
  const secure = edges.every(edge => edge.security === 'mutual_tls') ? 'all over mTLS' : 'NOT all over mTLS';
  return `${seconds.toFixed(0)}s: ${rate.toFixed(0)} requests/s on ${edges.length} edges, ${sum(edges, edge => edge.failures)} failed, ${sum(edges, edge => edge.retries)} retried, ${secure}`;
};

export const summaryLines = (summary: Summary): string[] => {
  const { edges, sent, failed, firstAnswerSeconds, seconds } = summary;
  return [
    '',
    `${sent} requests of shoppers in ${seconds.toFixed(1)} s became ${sum(edges, edge => edge.requests)} on ${edges.length} edges; ${failed} failed. ${sum(edges, edge => edge.retries)} attempts were retried.`,
    `The first answer over mTLS came ${firstAnswerSeconds.toFixed(1)} s after the start.`,
    isGood(summary) ? 'Every request succeeded, over mTLS.' : 'NOT every request succeeded over mTLS.',
  ];
};

/** Times in milliseconds where the name does not say otherwise. */
export const summaryJson = (summary: Summary): string => {
  const edges = summary.edges.map(({ endpoints: _endpoints, ...edge }) => edge);
  const { sent, failed, firstAnswerSeconds, seconds } = summary;
  return `${JSON.stringify({ ok: isGood(summary), seconds, firstAnswerSeconds, sent, failed, edges }, undefined, 2)}\n`;
};
