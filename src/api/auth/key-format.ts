import { TenantId } from "../../config/tenant-record.ts";
import { hashBytes } from "../http/hash-bytes.ts";

/** Letters and digits of a key's random part: 190 bits. */
const RANDOM_CHARS = 32;
const KEY_FORM = new RegExp(`^wk_([a-z0-9-]{1,32})_[A-Za-z0-9]{${RANDOM_CHARS}}$`);

/** `random`: 32 letters and digits that nobody can guess. */
export function formatKey(tenant: string, random: string): string {
  const key = `wk_${tenant}_${random}`;
  if (tenantOfKey(key) !== tenant) throw new Error("the random part of a key has another form");
  return key;
}

/** The tenant that a key names; null for what is no key, which need not be looked up. */
export function tenantOfKey(key: string): string | null {
  const tenant = TenantId.safeParse(KEY_FORM.exec(key)?.[1]);
  return tenant.success ? tenant.data : null;
}

/**
 * What is stored of a key. A fast hash is right here, unlike for passwords: nobody can try 190 random bits, however fast each try is.
 * Looking a key up by its hash also tells nothing by its time, since nobody can choose what a hash begins with.
 */
export function hashKey(key: string): Promise<string> {
  return hashBytes(new TextEncoder().encode(key));
}
