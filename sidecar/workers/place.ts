import type { Address } from '../config.ts';
import { type Cells, ownCells } from './cells.ts';

/** What one worker tells the others of an instance: its health has changed, or one of the next requests should go there. */
export type News =
  | { readonly kind: 'health'; readonly endpoint: string }
  | { readonly kind: 'probe'; readonly endpoint: string; readonly cluster: string };

/** A data plane among those of its sidecar. Worker 0 is in the first thread, beside everything that there is once. */
export interface Place {
  readonly number: number;
  readonly count: number;
  /** What all workers count together. */
  readonly cells: Cells;
  /** To all other workers. */
  readonly tell: (news: News) => void;
  /** Where the first worker listens, by the listener's name. Empty in the first. */
  readonly addresses: ReadonlyMap<string, Address>;
}

/** The only worker. */
export const ALONE: Place = { number: 0, count: 1, cells: ownCells, tell: () => {}, addresses: new Map() };
