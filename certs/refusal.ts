/** Why something of the PKI was not accepted, as data. Hostile certificates, files and requests never throw. */
export interface Refusal<Reason extends string = string> {
  /** Machine-readable, `snake_case`, stable. */
  readonly reason: Reason;
  /** One sentence for a person: what is wrong and, where known, what would be right. */
  readonly sentence: string;
}

export const refuse = <Reason extends string>(reason: Reason, sentence: string): Refusal<Reason> => ({
  reason,
  sentence,
});
