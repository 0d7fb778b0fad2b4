/** Reading values of a manifest that nobody has checked: what is not of the expected shape reads as absent. */

export type Plain = Readonly<Record<string, unknown>>;

export const objectOf = (value: unknown): Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Plain) : {};

export const listOf = (value: unknown): readonly Plain[] => (Array.isArray(value) ? value.map(objectOf) : []);

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A map of strings, as labels and annotations are; other values are left out. */
export const textsOf = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(objectOf(value)).flatMap(([name, each]) => (typeof each === 'string' ? [[name, each]] : [])),
  );
