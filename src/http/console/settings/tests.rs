use super::*;

#[test]
fn times_are_told_in_their_largest_unit() {
    assert_eq!(in_unit(300), (5, "m"));
    assert_eq!(in_unit(86_400), (1, "d"));
    assert_eq!(in_unit(90_000), (25, "h"));
    assert_eq!(in_unit(61), (61, "s"));
    assert_eq!(in_unit(0), (0, "s"));
}

#[test]
fn the_form_holds_every_setting() {
    fn leaves(value: &serde_json::Value, path: &str, names: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (member, value) in members {
                    let path = if path.is_empty() {
                        member.clone()
                    } else {
                        format!("{path}.{member}")
                    };
                    leaves(value, &path, names);
                }
            }
            _ => names.push(path.to_owned()),
        }
    }
    let mut names = Vec::new();
    let document = serde_json::to_value(TenantSettings::default()).unwrap();
    leaves(&document, "", &mut names);
    let mut shown: Vec<_> = GROUPS
        .iter()
        .flat_map(|(_, entries)| entries.iter())
        .map(|(name, _)| (*name).to_owned())
        .collect();
    names.sort();
    shown.sort();
    assert_eq!(shown, names);
}
