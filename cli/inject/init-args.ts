import { type RuleFlags, readOptions } from '../init/read-options.ts';
import { type AnnotationName, type Annotations, PREFIX } from './annotations.ts';

/** How the init container is made. */
export interface InitSettings {
  readonly image: string;
  /** Of `outrider init`. */
  readonly args: readonly string[];
}

/** What `outrider init` calls each of them. Istio has the same annotations, and in `istio-iptables` the same difference. */
const FLAGS = [
  ['includeInboundPorts', 'inbound-ports'],
  ['excludeInboundPorts', 'exclude-inbound-ports'],
  ['includeOutboundPorts', 'outbound-ports'],
  ['excludeOutboundPorts', 'exclude-outbound-ports'],
  ['includeOutboundIPRanges', 'include-cidrs'],
  ['excludeOutboundIPRanges', 'exclude-cidrs'],
  ['excludeInterfaces', 'exclude-interfaces'],
] as const satisfies readonly (readonly [AnnotationName, keyof RuleFlags])[];

/** The flags for what the annotations say. What `outrider init` would refuse is added to `problems`. */
export const readInitArgs = (annotations: Annotations, problems: string[]): readonly string[] => {
  const given = FLAGS.flatMap(([annotation, flag]) => {
    const value = annotations[annotation];
    return value === undefined ? [] : [[flag, value] as const];
  });
  const read = readOptions(Object.fromEntries(given));
  if ('problems' in read)
    for (const { flag, reason } of read.problems)
      problems.push(`the annotation ${PREFIX}${FLAGS.find(([, each]) => each === flag)?.[0] ?? flag} ${reason}`);
  return given.map(([flag, value]) => `--${flag}=${value}`);
};
