//! Column types that the two databases spell differently.
//!
//! A UUID is `uuid` on PostgreSQL and a 16-byte BLOB on SQLite; an instant is `timestamptz` on PostgreSQL and fixed-width UTC text
//! on SQLite, so that text order is time order. JSON is kept as text on both.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Timelike as _, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Binary, HasSqlType, SqlType, Text, Timestamptz};
use diesel::sqlite::Sqlite;
use uuid::Uuid;

use super::connection::{MultiBackend, MultiRawValue};
use crate::clock::Timestamp;

/// The SQL type of identifiers.
#[derive(Debug, Clone, Copy, Default, SqlType, diesel::query_builder::QueryId)]
#[diesel(
    postgres_type(oid = 2950, array_oid = 2951),
    sqlite_type(name = "Binary")
)]
pub struct UuidType;

/// The SQL type of instants.
#[derive(Debug, Clone, Copy, Default, SqlType, diesel::query_builder::QueryId)]
#[diesel(
    postgres_type(oid = 1184, array_oid = 1185),
    sqlite_type(name = "Text")
)]
pub struct InstantType;

/// An identifier in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = UuidType)]
pub struct DbUuid(pub Uuid);

/// An instant in a row, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = InstantType)]
pub struct DbInstant(pub Timestamp);

impl<T: Into<Uuid>> From<T> for DbUuid {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl From<Timestamp> for DbInstant {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl HasSqlType<UuidType> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        Self::lookup_sql_type::<UuidType>(lookup)
    }
}

impl HasSqlType<InstantType> for MultiBackend {
    fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
        Self::lookup_sql_type::<InstantType>(lookup)
    }
}

impl ToSql<UuidType, Sqlite> for DbUuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        <[u8] as ToSql<Binary, Sqlite>>::to_sql(self.0.as_bytes().as_slice(), out)
    }
}

impl ToSql<UuidType, Pg> for DbUuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<UuidType, MultiBackend> for DbUuid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((UuidType, self));
        Ok(IsNull::No)
    }
}

impl FromSql<UuidType, Sqlite> for DbUuid {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
        Ok(Self(Uuid::from_slice(&bytes)?))
    }
}

impl FromSql<UuidType, Pg> for DbUuid {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

impl FromSql<UuidType, MultiBackend> for DbUuid {
    fn from_sql(value: MultiRawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<Self, UuidType>()
    }
}

/// Where the fields of an instant stand in its text, and how many digits each has: fixed width, so that text order is time order.
const INSTANT_FIELDS: [(usize, usize); 7] =
    [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2), (20, 6)];
/// What stands between them.
const INSTANT_FORM: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";

/// An instant's text. Written and read by hand: a redemption does so a dozen times, and chrono interprets its format each time anew.
fn instant_text(at: Timestamp) -> Option<String> {
    let fields = [
        u32::try_from(at.year()).ok()?,
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.timestamp_subsec_micros(),
    ];
    let mut text = *INSTANT_FORM;
    for ((start, digits), mut value) in INSTANT_FIELDS.into_iter().zip(fields) {
        for place in text[start..start + digits].iter_mut().rev() {
            *place = b'0' + u8::try_from(value % 10).ok()?;
            value /= 10;
        }
        if value > 0 {
            return None;
        }
    }
    String::from_utf8(text.to_vec()).ok()
}

/// The instant of a text that [`instant_text`] wrote.
fn parse_instant(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    let mut form = *bytes;
    let mut fields = [0_u32; 7];
    for ((start, digits), field) in INSTANT_FIELDS.into_iter().zip(&mut fields) {
        for place in &mut form[start..start + digits] {
            let digit = place.is_ascii_digit().then(|| u32::from(*place - b'0'))?;
            *field = *field * 10 + digit;
            *place = b'0';
        }
    }
    let [year, month, day, hour, minute, second, micros] = fields;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    (form == *INSTANT_FORM).then(|| date.and_time(time).and_utc())
}

impl ToSql<InstantType, Sqlite> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(instant_text(self.0).ok_or("the instant is outside the years 0 to 9999")?);
        Ok(IsNull::No)
    }
}

impl ToSql<InstantType, Pg> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}

impl ToSql<InstantType, MultiBackend> for DbInstant {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
        out.set_value((InstantType, self));
        Ok(IsNull::No)
    }
}

impl FromSql<InstantType, Sqlite> for DbInstant {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(Self(
            parse_instant(&text).ok_or("not an instant as it is written here")?,
        ))
    }
}

impl FromSql<InstantType, Pg> for DbInstant {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <DateTime<Utc> as FromSql<Timestamptz, Pg>>::from_sql(value).map(Self)
    }
}

impl FromSql<InstantType, MultiBackend> for DbInstant {
    fn from_sql(value: MultiRawValue<'_>) -> deserialize::Result<Self> {
        value.from_sql::<Self, InstantType>()
    }
}

#[cfg(test)]
mod tests {
    use super::{DateTime, Timestamp, Utc, instant_text, parse_instant};

    fn at(text: &str) -> Timestamp {
        DateTime::parse_from_rfc3339(text)
            .expect("an instant")
            .with_timezone(&Utc)
    }

    #[test]
    fn an_instant_is_read_as_it_was_written() {
        for text in [
            "2026-11-25T15:22:48.000001Z",
            "2024-02-29T23:59:59.999999Z",
            "0000-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.123456Z",
        ] {
            assert_eq!(instant_text(at(text)).as_deref(), Some(text));
            assert_eq!(parse_instant(text), Some(at(text)));
        }
        // What is finer than a microsecond isn't kept.
        let fine = at("2026-11-25T15:22:48.123456789Z");
        let text = instant_text(fine).expect("a text");
        assert_eq!(text, "2026-11-25T15:22:48.123456Z");
    }

    #[test]
    fn text_order_is_time_order() {
        let texts = [
            "0999-12-31T23:59:59.999999Z",
            "2026-09-30T00:00:00.000000Z",
            "2026-09-30T00:00:00.000001Z",
            "2026-10-01T00:00:00.000000Z",
        ]
        .map(|text| instant_text(at(text)).expect("a text"));
        assert!(texts.is_sorted());
    }

    #[test]
    fn nothing_else_is_an_instant() {
        for text in [
            "",
            "2026-11-25",
            "2026-11-25T15:22:48Z",
            "2026-11-25T15:22:48.00000Z",
            "2026-11-25T15:22:48.0000000Z",
            "2026-11-25 15:22:48.000000Z",
            "2026-11-25T15:22:48.000000+",
            "2026-11-25T15:22:48.00000aZ",
            "+026-11-25T15:22:48.000000Z",
            "2026-13-25T15:22:48.000000Z",
            "2026-02-30T15:22:48.000000Z",
            "2026-11-25T24:22:48.000000Z",
            "2026-11-25T15:22:60.000000Z",
            "2026-11-25T15:22:4é.00000Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn years_that_have_no_four_digits_are_refused() {
        assert_eq!(instant_text(DateTime::<Utc>::MAX_UTC), None);
        assert_eq!(instant_text(DateTime::<Utc>::MIN_UTC), None);
    }
}
