/** `text` is JSON unless `contentType` differs. Large JSON continues in `json`; `raw` holds tensors that follow. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly text: string;
  readonly json?: readonly Uint8Array[];
  readonly raw?: readonly Uint8Array[];
  /** Continues the answer after its head, until the sink ends. The answer has no length. */
  readonly stream?: (sink: StreamSink) => void;
}

/** An answer that goes on. Writing after its end has no effect. */
export interface StreamSink {
  /** Bytes that have not left yet. */
  readonly unsentBytes: number;
  write(text: string): void;
  end(): void;
  /** Closes the connection or stream without sending the rest. */
  destroy(): void;
  /** Calls `listener` once the answer has ended or its client is gone. */
  onClose(listener: () => void): void;
}

export function ok(value: unknown): Answer {
  return { status: 200, text: JSON.stringify(value) };
}

export function liveAnswer(): Answer {
  return { status: 200, text: '{"live":true}' };
}

/** 200 if ready, else 503; `facts` come first in the body. */
export function readyAnswer(isReady: boolean, facts: Readonly<Record<string, unknown>> = {}): Answer {
  return { status: isReady ? 200 : 503, text: JSON.stringify({ ...facts, ready: isReady }) };
}

/** Readiness of a server; names parts that are not ready. */
export function allReadyAnswer(
  isServing: boolean,
  parts: Iterable<{ readonly name: string; readonly ready: boolean }>,
): Answer {
  const notReady = [...parts].filter(({ ready }) => !ready).map(({ name }) => name);
  return readyAnswer(isServing && notReady.length === 0, notReady.length > 0 ? { notReady } : {});
}
