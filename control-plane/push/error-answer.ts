/** Answers of the sidecar channel: JSON, errors as Kubernetes `Status` objects. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: object;
}

/** `message`: a sentence that says what is wrong and what would be right. */
export const errorAnswer = (status: number, reason: string, message: string): ErrorAnswer => ({
  status,
  body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status },
});
