import type { Metric, RegistryContentType } from 'prom-client';
import type { Definition } from './definitions.ts';

export type Labels = Readonly<Record<string, string>>;

/** One line of the exposition. */
export interface Sample {
  /** When it is not the family's own name: `…_bucket`. */
  readonly metricName?: string;
  /** Labels of this line alone: `le`. */
  readonly labels?: Labels;
  /** Labels that several lines have in common. prom-client keeps their text for as long as the object lives. */
  readonly sharedLabels?: Labels;
  readonly value: number;
}

/** A metric with all its lines. */
export interface Family {
  readonly name: string;
  readonly definition: Definition;
  readonly samples: readonly Sample[];
}

/** `text`: Prometheus text format 0.0.4. `openmetrics`: OpenMetrics 1.0. */
export type ExpositionFormat = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, RegistryContentType>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/**
 * The format that an `Accept` header asks for: OpenMetrics when it is acceptable and not rated below plain text, as Prometheus asks.
 * RFC 9110 §12.5.1.
 */
export const formatFor = (accept: string): ExpositionFormat => {
  const openMetrics = quality(accept, 'application/openmetrics-text');
  return openMetrics > 0 && openMetrics >= quality(accept, 'text/plain') ? 'openmetrics' : 'text';
};

/** The `q` of an exactly named media type; 0: not named. */
const quality = (accept: string, type: string): number => {
  for (const range of accept.split(',')) {
    const [name, ...parameters] = range.split(';').map(part => part.trim().toLowerCase());
    if (name !== type) continue;
    const q = parameters.find(parameter => parameter.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
};

/**
 * The families as text, by prom-client, which is loaded with the first scrape. Each scrape has a Registry of its own, because a Registry knows one format only and renames
 * counters for it; what it is given answers `get()` with the lines that were collected.
 */
export const expose = async (families: Iterable<Family>, format: ExpositionFormat): Promise<string> => {
  const { Registry } = await import('prom-client');
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(CONTENT_TYPES[format]);
  for (const family of families) registry.registerMetric(collected(family) as unknown as Metric);
  return await registry.metrics();
};

/** The part of a prom-client metric that a Registry uses. It takes `_total` off the name of counters when it speaks OpenMetrics. */
const collected = ({ name, definition, samples }: Family) => ({
  name,
  type: definition.type,
  get() {
    return { name: this.name, help: definition.help, type: definition.type, values: samples };
  },
});
