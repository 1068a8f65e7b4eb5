//! Whether a mode script goes along with the script of a bench: that both are too large for any board is
//! said to whoever arms, and not to each board that is plugged in.

use muster_netboot::payload;
use muster_netboot::profile::Profile;

use crate::ctx::App;
use crate::error::Error;
use crate::netboot::arming::Arming;
use crate::service::templates::smallest;
use crate::store::templates;

/// The smallest script that the newest version of a template gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    version: i32,
    bytes: usize,
}

/// Those of the template and of the mode script; `None` = there is no mode script, or one of the
/// templates is not there. They are rendered: it must not be asked for within a transaction.
///
/// # Errors
/// [`Error::Busy`], [`Error::Database`]
pub(super) async fn sizes(app: &App, arming: &Arming) -> Result<Option<[Size; 2]>, Error> {
    let Some(mode) = &arming.mode_template else { return Ok(None) };
    let Some(script) = size(app, &arming.template).await? else { return Ok(None) };
    let mode = size(app, mode).await?;
    Ok(mode.map(|mode| [script, mode]))
}

async fn size(app: &App, name: &str) -> Result<Option<Size>, Error> {
    let Some(template) = templates::named(&app.pool, name).await? else { return Ok(None) };
    match templates::version(&app.pool, template.template_id, None).await? {
        Some(version) => {
            let bytes = smallest(app, &version).await?;
            Ok(Some(Size { version: version.version, bytes }))
        }
        None => Ok(None),
    }
}

/// Refuses what goes into no board. `versions` are those that boards will get: of the template and of the
/// mode script.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Stale`] where a template was changed since it was looked at.
pub(super) fn check(
    profile: &Profile,
    versions: [i32; 2],
    sizes: Option<[Size; 2]>,
) -> Result<(), Error> {
    let Some(sizes) = sizes.filter(|sizes| sizes.map(|size| size.version) == versions) else {
        let why = "a template was changed while it was looked at: arm once more";
        return Err(Error::Stale(why.to_owned()));
    };
    let [script, mode] = sizes.map(|size| vec![b'#'; size.bytes]);
    // How the two go together is the profile's to say; of most boards nobody knows it.
    let file = payload::build(profile, &script, Some(mode.as_slice()))
        .map_err(|why| Error::invalid("/mode_template", why))?;
    payload::fits(profile, file.len(), None).map_err(|why| {
        let why = format!("the template and the mode script together, at their smallest: {why}");
        Error::invalid("/mode_template", why)
    })
}

#[cfg(test)]
mod tests {
    use muster_netboot::profile::{self, Mode, Place};

    use super::*;

    fn sized(version: i32, bytes: usize) -> Size {
        Size { version, bytes }
    }

    #[test]
    fn a_mode_script_goes_where_the_profile_knows_how_and_both_fit() {
        let without = profile::builtin()[0].clone();
        let mode = Some(Mode { place: Place::After, separator: vec![0; 2] });
        let with = Profile { mode, ..without.clone() };
        let check = |profile: &Profile, sizes: Option<[Size; 2]>| check(profile, [3, 7], sizes);
        let both = |script, mode| Some([sized(3, script), sized(7, mode)]);
        for (profile, sizes) in [(&without, both(1, 1)), (&with, both(2_500, 2_500))] {
            let refused = check(profile, sizes);
            let Err(Error::Invalid { pointer, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(pointer, "/mode_template");
        }
        assert!(check(&with, both(2_500, 1_498)).is_ok());
        assert!(check(&with, both(2_500, 1_499)).is_err());
        for moved in [None, Some([sized(4, 1), sized(7, 1)]), Some([sized(3, 1), sized(8, 1)])] {
            assert!(matches!(check(&with, moved), Err(Error::Stale(_))), "{moved:?}");
        }
    }
}
