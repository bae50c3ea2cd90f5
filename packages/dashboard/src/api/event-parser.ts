/** Incremental parser of server-sent events (HTML Living Standard §9.2.6), for the fields that the server sends. */
export interface ServerEvent {
  readonly kind: string;
  readonly data: string;
}

const MOST_BUFFERED_CHARACTERS = 1_000_000;

export class EventParser {
  #rest = '';

  /** Events that are complete with this text. Comments are skipped. Throws if an event is too long. */
  take(text: string): readonly ServerEvent[] {
    const blocks = (this.#rest + text).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > MOST_BUFFERED_CHARACTERS) throw new Error('An event is too long.');
    return blocks.map(eventOf).filter((event) => event !== undefined);
  }
}

function eventOf(block: string): ServerEvent | undefined {
  let kind = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ''] = /^([^:]+):? ?(.*)$/.exec(line) ?? [];
    if (field === 'event') kind = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { kind, data: data.join('\n') };
}
