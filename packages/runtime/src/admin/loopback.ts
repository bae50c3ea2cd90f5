/** Access from this machine only. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import { AppError } from '@equipoise/core/model';

/** Whether no other machine can reach a host. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/** AppError FORBIDDEN for requests that a page of another site makes, by their `Origin` or (DNS rebinding) their `Host`. */
export function refuseOtherSites({ host = '', origin }: IncomingHttpHeaders): void {
  const hostName = host.replace(/:\d*$/, '');
  if (!isLoopback(hostName))
    throw new AppError('FORBIDDEN', `The request asks for the host ${host}, which is no loopback address.`);
  if (origin !== undefined && origin !== `http://${host}`)
    throw new AppError('FORBIDDEN', `The request comes from a page of ${origin}.`);
}
