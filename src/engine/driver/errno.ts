/** What system calls return; names and numbers of Linux (include/uapi/asm-generic/errno-base.h, errno.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  E2BIG: 7,
  ENOMEM: 12,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  ENOMSG: 42,
  EOVERFLOW: 75,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  ETIMEDOUT: 110,
} as const;
export type Errno = keyof typeof ERRNO;

/** The result of an operation of the driver: a value, or an errno with what is wrong, where, and what to do. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errno: Errno; readonly message: string };

export const done = <T>(value: T): Outcome<T> => ({ ok: true, value });
export const refused = (errno: Errno, message: string): Outcome<never> => ({ ok: false, errno, message });
