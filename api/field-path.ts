/** How messages name a field: `spec.rules[0].matches[1].path`, `metadata.labels["example.com/app"]`. */

/** A step into an object or a list. */
export type PathStep = string | number;

export const formatPath = (steps: readonly PathStep[]): string => {
  let path = '';
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`;
    else if (/^[$A-Za-z_][-\w$]*$/.test(step)) path += path === '' ? step : `.${step}`;
    else path += `[${JSON.stringify(step)}]`;
  }
  return path;
};

/** The steps of a JSON pointer (RFC 6901) into `root`: what stands in a list is a number. */
export const pointerSteps = (pointer: string, root: unknown): PathStep[] => {
  const steps: PathStep[] = [];
  let value = root;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    steps.push(Array.isArray(value) ? Number(name) : name);
    value = (value as Record<string, unknown> | undefined)?.[name];
  }
  return steps;
};
