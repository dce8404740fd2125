/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/value_cxx.h: the macros of mproc/value_generic.h in C++17.
 *
 * Part of mproc/value.h; include that. They are documented there. Each takes any number of
 * arguments, also none.
 */
#ifndef MPROC_VALUE_CXX_H
#define MPROC_VALUE_CXX_H

#include "mproc/value.h"

#ifdef __cplusplus

#include <cstddef>
#include <type_traits>

extern "C++" {
namespace mproc_detail {

#define MPROC__OBJECT_OVERLOADS(name, NAME, kind, text)     \
    inline mproc_value value(mproc_##name *object)          \
    {                                                       \
        return mproc_value_##name(object);                  \
    }                                                       \
    inline mproc_slot slot(mproc_##name **to)               \
    {                                                       \
        return mproc_slot{MPROC__SLOT_OBJECT + (kind), to}; \
    }
MPROC__OBJECTS(MPROC__OBJECT_OVERLOADS)
#undef MPROC__OBJECT_OVERLOADS

template <class T> constexpr bool is_one_of_ours = false;

template <class T> inline mproc_value value(const T &x)
{
    using type = std::decay_t<T>;
    if constexpr (std::is_same_v<type, bool>) {
        return mproc__value_bool(x);
    } else if constexpr (std::is_enum_v<type>) {
        return mproc_detail::value(static_cast<std::underlying_type_t<type>>(x));
    } else if constexpr (std::is_integral_v<type> && std::is_signed_v<type>) {
        return mproc__value_int(x);
    } else if constexpr (std::is_integral_v<type>) {
        return mproc__value_uint(x);
    } else if constexpr (std::is_same_v<type, float> || std::is_same_v<type, double>) {
        return mproc__value_double(x);
    } else if constexpr (std::is_same_v<type, char *> || std::is_same_v<type, const char *>) {
        return mproc__value_string(x);
    } else if constexpr (std::is_same_v<type, std::nullptr_t>) {
        return mproc__value_nil();
    } else if constexpr (std::is_same_v<type, mproc_bytes>) {
        return mproc__value_bytes(x);
    } else if constexpr (std::is_same_v<type, mproc_value>) {
        return mproc__value_borrow(x);
    } else if constexpr (std::is_convertible_v<type, const mproc_value *>) {
        return mproc__value_borrow_at(x);
    } else if constexpr (std::is_convertible_v<type, const mproc_args *>) {
        return mproc__value_args(x);
    } else {
        static_assert(is_one_of_ours<T>, "MPROC_VALUE cannot make a value of this type");
        return mproc__value_nil();
    }
}

/* Integers by size, since C++ has more types of them than C. */
template <class T> constexpr int integer_kind()
{
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == sizeof(signed char)) {
        return is_signed ? MPROC__SLOT_SCHAR : MPROC__SLOT_UCHAR;
    } else if constexpr (sizeof(T) == sizeof(short)) {
        return is_signed ? MPROC__SLOT_SHORT : MPROC__SLOT_USHORT;
    } else if constexpr (sizeof(T) == sizeof(int)) {
        return is_signed ? MPROC__SLOT_INT : MPROC__SLOT_UINT;
    } else if constexpr (sizeof(T) == sizeof(long)) {
        return is_signed ? MPROC__SLOT_LONG : MPROC__SLOT_ULONG;
    } else {
        static_assert(sizeof(T) == sizeof(long long), "MPROC_UNPACK cannot fill this integer");
        return is_signed ? MPROC__SLOT_LLONG : MPROC__SLOT_ULLONG;
    }
}

template <class T> constexpr int slot_kind()
{
    if constexpr (std::is_same_v<T, bool>) {
        return MPROC__SLOT_BOOL;
    } else if constexpr (std::is_enum_v<T>) {
        return slot_kind<std::underlying_type_t<T>>();
    } else if constexpr (std::is_integral_v<T>) {
        return integer_kind<T>();
    } else if constexpr (std::is_same_v<T, float>) {
        return MPROC__SLOT_FLOAT;
    } else if constexpr (std::is_same_v<T, double>) {
        return MPROC__SLOT_DOUBLE;
    } else if constexpr (std::is_same_v<T, const char *>) {
        return MPROC__SLOT_STRING;
    } else if constexpr (std::is_same_v<T, mproc_bytes>) {
        return MPROC__SLOT_BYTES;
    } else if constexpr (std::is_same_v<T, mproc_value>) {
        return MPROC__SLOT_VALUE;
    } else if constexpr (std::is_same_v<T, mproc_object *>) {
        return MPROC__SLOT_ANY_OBJECT;
    } else {
        static_assert(is_one_of_ours<T>, "MPROC_UNPACK cannot fill a variable of this type");
        return 0;
    }
}

template <class T> inline mproc_slot slot(T *to)
{
    static_assert(!std::is_const_v<T>, "MPROC_UNPACK cannot fill a constant");
    return mproc_slot{slot_kind<T>(), to};
}

inline mproc_slot slot(mproc_slot same)
{
    return same;
}

template <class T> inline mproc_slot optional(T *to)
{
    mproc_slot it = mproc_detail::slot(to);
    it.kind |= MPROC__SLOT_OPTIONAL;
    return it;
}

/* Holds what the macros point to, until the end of the full expression. */
template <std::size_t N> struct values {
    mproc_value items[N != 0 ? N : 1];
    mproc_args arguments;

    const mproc_args *args()
    {
        arguments.count = N;
        arguments.items = items;
        return &arguments;
    }
    const mproc_value *array() const
    {
        return items;
    }
    mproc_value list() const
    {
        return mproc__value_list(items, N);
    }
};

template <class... T> inline values<sizeof...(T)> pack(const T &...x)
{
    return values<sizeof...(T)>{{mproc_detail::value(x)...}, {0, nullptr}};
}

template <std::size_t N> struct pairs {
    mproc_pair items[N != 0 ? N : 1];

    mproc_value map() const
    {
        return mproc__value_map(items, N);
    }
};

template <class... T> inline pairs<sizeof...(T)> pack_pairs(const T &...x)
{
    return pairs<sizeof...(T)>{{x...}};
}

template <class... T> [[nodiscard]] inline int unpack(const mproc_args *args, T... to)
{
    const mproc_slot slots[] = {mproc_detail::slot(to)..., {0, nullptr}};
    return mproc_unpack(args, slots, sizeof...(T));
}

template <class... T> [[nodiscard]] inline int unpack_list(const mproc_value *list, T... to)
{
    const mproc_slot slots[] = {mproc_detail::slot(to)..., {0, nullptr}};
    return mproc_unpack_list(list, slots, sizeof...(T));
}

} // namespace mproc_detail
} // extern "C++"

#define MPROC_VALUE(x) mproc_detail::value(x)
#define MPROC_ARGS(...) mproc_detail::pack(__VA_ARGS__).args()
#define MPROC_VALUES(...) mproc_detail::pack(__VA_ARGS__).array()
#define MPROC_LIST(...) mproc_detail::pack(__VA_ARGS__).list()
#define MPROC_MAP(...) mproc_detail::pack_pairs(__VA_ARGS__).map()
#define MPROC_UNPACK(...) mproc_detail::unpack(__VA_ARGS__)
#define MPROC_UNPACK_LIST(...) mproc_detail::unpack_list(__VA_ARGS__)
#define MPROC_OPTIONAL(pointer) mproc_detail::optional(pointer)

#endif

#endif
