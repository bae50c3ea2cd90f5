/** What comes from this machine and for this machine. */
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import { AppError } from '@equipoise/core/model';

/** Whether a host is an address of this machine that no other can reach. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/**
 * AppError FORBIDDEN for what a page of another site makes a browser ask: its requests name that site as `Origin`, or, where its name has
 * been made to mean this machine, as `Host`.
 */
export function refuseOtherSites({ host = '', origin }: IncomingHttpHeaders): void {
  const hostName = host.replace(/:\d*$/, '');
  if (!isLoopback(hostName))
    throw new AppError('FORBIDDEN', `The request asks for the host ${host}, which is no loopback address.`);
  if (origin !== undefined && origin !== `http://${host}`)
    throw new AppError('FORBIDDEN', `The request comes from a page of ${origin}.`);
}
