/** The OpenAPI documents of the ports, as files for generators of clients. */

import { plainRoutes } from '../packages/runtime/src/admin/admin-call.js';
import { adminDocument } from '../packages/runtime/src/admin/admin-document.js';
import { restDocument } from '../packages/runtime/src/open-inference/rest/rest-routes.js';

/** Versions of the interface, not of the program that serves it. */
const VERSION = '1';
const NO_METRICS = { contentType: 'text/plain', text: () => Promise.resolve('') };

export const renderServingDocument = (): string => text(restDocument(VERSION, NO_METRICS));

export const renderAdminDocument = (): string => text(adminDocument(VERSION, plainRoutes));

const text = (document: object): string => `${JSON.stringify(document, undefined, 1)}\n`;
