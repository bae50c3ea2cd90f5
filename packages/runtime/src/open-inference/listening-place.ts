/** Addresses to listen on. */
import { AppError } from '@equipoise/core/model';

/** A host and a port; port 0 takes a free one. */
export interface ListeningPlace {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, IPv6 in brackets; throws AppError WRONG_USAGE unless the port is one. */
export function placeText({ host, port }: ListeningPlace): string {
  const text = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return text;
  throw new AppError('WRONG_USAGE', `Cannot listen on ${text}: a port is an integer from 0 to 65535.`);
}

/** The error for a place that cannot be listened on. */
export function refusalToListen(
  place: ListeningPlace,
  why: { readonly inUse: boolean; readonly cause: Error },
): AppError {
  const text = placeText(place);
  if (why.inUse) return new AppError('PORT_IN_USE', `Something listens on ${text} already.`);
  return new AppError('WRONG_USAGE', `Cannot listen on ${text}: ${why.cause.message}.`, { cause: why.cause });
}
