//! The disk of tests as SQLite calls it: pointers in, codes out. All that is decided is decided in [`super::handle`].
//!
//! The only unsafe code of waymark outside of its benches, and in no program: C calls it. A panic in here ends the test's process.

#![expect(unsafe_code, reason = "SQLite calls C functions with pointers")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::size_of;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::ffi;

use super::Inner;
use super::handle::{self, Handle};

/// Longest name of a file, in bytes.
const NAME_BYTES_MAX: c_int = 1_024;
/// Julian day of 1970-01-01, in milliseconds: SQLite's clock.
const UNIX_EPOCH_MS: i64 = 210_866_760_000_000;

/// What SQLite has of an open file: it makes room for it, and hands it in with each call.
#[repr(C)]
struct Slot {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// Makes a disk known to SQLite, for as long as the process lives; gives its name.
pub(super) fn register(disk: Arc<Inner>) -> &'static str {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("waymark-disk-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let c_name = Box::leak(CString::new(name.clone()).unwrap().into_boxed_c_str());
    let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: c_int::try_from(size_of::<Slot>()).unwrap(),
        mxPathname: NAME_BYTES_MAX,
        pNext: std::ptr::null_mut(),
        zName: c_name.as_ptr(),
        pAppData: Box::into_raw(Box::new(disk)).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_name),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: None,
        xCurrentTimeInt64: Some(now),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: the struct and its name are leaked, so they outlive every connection, and all functions that SQLite needs
    // without extensions are there.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    assert_eq!(code, ffi::SQLITE_OK);
    Box::leak(name.into_boxed_str())
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map_region),
    xShmLock: Some(lock_region),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(outcome: Result<(), i32>) -> c_int {
    outcome.err().unwrap_or(ffi::SQLITE_OK)
}

/// The disk of a VFS.
///
/// # Safety
/// `vfs` is one that [`register`] made.
unsafe fn disk_of<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Arc<Inner> {
    // SAFETY: `pAppData` is a box that is never taken back.
    unsafe { &*(*vfs).pAppData.cast::<Arc<Inner>>() }
}

/// The handle of an open file.
///
/// # Safety
/// `file` was filled by [`open`] and is not closed. SQLite calls with one file from one thread at a time.
unsafe fn handle_of<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: the slot is as `open` left it, and nobody else has the handle.
    unsafe { &mut *(*file.cast::<Slot>()).handle }
}

/// # Safety
/// As SQLite calls `xOpen`: `name` is null or ends with a NUL, `file` has room for a [`Slot`].
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: as above; without methods SQLite does not close what did not open.
    unsafe {
        let slot = file.cast::<Slot>();
        (*slot).base.pMethods = std::ptr::null();
        let name = if name.is_null() { None } else { Some(text(name)) };
        match Handle::open(disk_of(vfs), name, flags) {
            Ok(handle) => (*slot).handle = Box::into_raw(Box::new(handle)),
            Err(code) => return code,
        }
        (*slot).base.pMethods = &raw const METHODS;
        if !flags_out.is_null() {
            *flags_out = flags;
        }
    }
    ffi::SQLITE_OK
}

/// # Safety
/// `name` ends with a NUL.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: as above.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_names: c_int) -> c_int {
    // SAFETY: `vfs` is ours, and the name ends with a NUL.
    let (disk, name) = unsafe { (disk_of(vfs), text(name)) };
    code(handle::delete(disk, &name, sync_names != 0))
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: `vfs` is ours, the name ends with a NUL, and SQLite gives a place for the answer.
    unsafe { *out = c_int::from(handle::exists(disk_of(vfs), &text(name))) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_name(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the name ends with a NUL, and `out` has `room` bytes.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > usize::try_from(room).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.cast(), bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, count: c_int, out: *mut c_char) -> c_int {
    // SAFETY: `vfs` is ours, and `out` has `count` bytes.
    let bytes = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(count).unwrap_or(0)) };
    // SAFETY: as above.
    let mut state = unsafe { disk_of(vfs) }.state.lock();
    bytes.fill_with(|| state.random.next().to_le_bytes()[0]);
    count
}

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    // Who waits for a lock lets the one that has it go on.
    std::thread::yield_now();
    microseconds
}

unsafe extern "C" fn now(_vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = UNIX_EPOCH_MS };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` put a box there, and SQLite closes a file once.
    drop(unsafe { Box::from_raw((*file.cast::<Slot>()).handle) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: the file is open, and `into` has `count` bytes.
    let (handle, into) =
        unsafe { (handle_of(file), slice::from_raw_parts_mut(into.cast::<u8>(), usize::try_from(count).unwrap_or(0))) };
    code(handle.read(into, usize::try_from(at).unwrap_or(0)))
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: the file is open, and `from` has `count` bytes.
    let (handle, bytes) =
        unsafe { (handle_of(file), slice::from_raw_parts(from.cast::<u8>(), usize::try_from(count).unwrap_or(0))) };
    code(handle.write(bytes, usize::try_from(at).unwrap_or(0)))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: the file is open.
    code(unsafe { handle_of(file) }.truncate(usize::try_from(size).unwrap_or(0)))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    code(unsafe { handle_of(file) }.sync())
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: the file is open, and SQLite gives a place for the answer.
    unsafe { code(handle_of(file).size().map(|size| *out = i64::try_from(size).unwrap_or(i64::MAX))) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    code(unsafe { handle_of(file) }.lock(level))
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    code(unsafe { handle_of(file) }.unlock(level))
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the file is open, and SQLite gives a place for the answer.
    unsafe { code(handle_of(file).is_reserved().map(|is_reserved| *out = c_int::from(is_reserved))) }
}

unsafe extern "C" fn control(_file: *mut ffi::sqlite3_file, _what: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    // What SQLite's own way to files says on Linux.
    4_096
}

unsafe extern "C" fn characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    // As SQLite's own way to files says on Linux: a write that tears leaves the bytes beside it as they were.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn map_region(
    file: *mut ffi::sqlite3_file,
    number: c_int,
    bytes: c_int,
    make: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let (number, bytes) = (usize::try_from(number).unwrap_or(0), usize::try_from(bytes).unwrap_or(0));
    // SAFETY: the file is open, SQLite gives a place for the answer, and the region is made of atomics, so that it may be
    // written through a shared pointer. It lives until `unmap`.
    unsafe {
        match handle_of(file).region(number, bytes, make != 0) {
            Ok(address) => *out = address.map_or(std::ptr::null_mut(), |address| address.cast_mut().cast()),
            Err(code) => return code,
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock_region(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let (first, count) = (usize::try_from(first).unwrap_or(0), usize::try_from(count).unwrap_or(0));
    // SAFETY: the file is open.
    code(unsafe { handle_of(file) }.lock_region(first, count, flags))
}

unsafe extern "C" fn barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the file is open.
    unsafe { handle_of(file) }.barrier();
}

unsafe extern "C" fn unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: the file is open.
    unsafe { handle_of(file) }.unshare();
    ffi::SQLITE_OK
}
