import type { Hostname } from '../kernel/index.ts'
import type { LinkKeys } from './link-keys.ts'
import { type OpenedLink, openLink } from './signed-link.ts'

/** Opens links with the keys of this process, and with those that another node has just made. */
export type OpenLink = (hostname: Hostname, target: string) => OpenedLink | Promise<OpenedLink>

/** At once, unless a key has to be looked up. */
export function createLinkOpener(keys: Pick<LinkKeys, 'all' | 'refresh'>): OpenLink {
  const openAgain = async (pathname: string, hostname: Hostname): Promise<OpenedLink> => {
    await keys.refresh()
    return openLink(pathname, hostname, keys.all())
  }
  return (hostname, target) => {
    // A query is no part of a link: some mail clients and ad networks add their own.
    const query = target.indexOf('?')
    const pathname = query < 0 ? target : target.slice(0, query)
    const opened = openLink(pathname, hostname, keys.all())
    const mayBeNew = opened.kind === 'refused' && opened.why === 'unknown-key'
    return mayBeNew ? openAgain(pathname, hostname) : opened
  }
}
